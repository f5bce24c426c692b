"""scikit-learn's stratified split of a fraction, without its import, which takes most of a second."""

from __future__ import annotations

import math

import numpy as np


def stratified_split(labels: np.ndarray, part: float, seed: int) -> tuple[np.ndarray, np.ndarray] | None:
    """Split positions into (kept, held out), both sorted, as `StratifiedShuffleSplit` of scikit-learn 1.9 does.

    Args:
        labels: int64 [n].
        part: fraction to hold out.
        seed: the `random_state`.

    Returns:
        None where scikit-learn refuses the split, and says why.
    """
    _, classes, counts = np.unique(labels, return_inverse=True, return_counts=True)
    held = math.ceil(part * len(labels))
    kept = len(labels) - held
    if not 0 < part < 1 or counts.min(initial=2) < 2 or not 0 < len(counts) <= min(kept, held):
        return None
    generator = np.random.RandomState(seed)
    kept_of_class = _shares(counts, kept, generator)
    held_of_class = _shares(counts - kept_of_class, held, generator)
    sides: tuple[list[np.ndarray], list[np.ndarray]] = [], []
    members = np.split(np.argsort(classes, kind="stable"), np.cumsum(counts)[:-1])
    for positions, first, second in zip(members, kept_of_class, held_of_class, strict=True):
        shuffled = positions[generator.permutation(len(positions))]
        sides[0].append(shuffled[:first])
        sides[1].append(shuffled[first : first + second])
    return np.sort(np.concatenate(sides[0])), np.sort(np.concatenate(sides[1]))


def _shares(counts: np.ndarray, draws: int, generator: np.random.RandomState) -> np.ndarray:
    """Return how many of this many draws each class gets, int64 [classes]; those with the largest remainders get one more."""
    exact = counts / counts.sum() * draws
    shares = np.floor(exact)
    remainders, missing = exact - shares, int(draws - shares.sum())
    for remainder in np.unique(remainders)[::-1]:
        if not missing:
            break
        equal = np.flatnonzero(remainders == remainder)
        more = generator.choice(equal, size=min(len(equal), missing), replace=False)
        shares[more] += 1
        missing -= len(more)
    return shares.astype(np.int64)
