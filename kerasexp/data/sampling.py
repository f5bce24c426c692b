"""Which training pictures an epoch shows: each once, or those of rare classes more often."""

from __future__ import annotations

import numpy as np


def times_shown(counts: list[int], oversample: float) -> list[int]:
    """Return how many pictures of each class an epoch shows: n^(1 - oversample) * largest^oversample for a class of n.

    With 1 all classes are shown as often as the largest: the oversampling that served best in Buda et al. (2018). A class
    without pictures stays without.

    Args:
        counts: n, the pictures of each class.
        oversample: 0 to 1.
    """
    counts = np.array(counts)
    return np.round(counts ** (1 - oversample) * counts.max() ** oversample * (counts > 0)).astype(int).tolist()


def positions_shown(labels: np.ndarray, oversample: float, generator: np.random.Generator) -> np.ndarray:
    """Return the positions of the pictures that an epoch shows, int64, in no particular order.

    Every picture of a class comes equally often, or once more than others, which are drawn.

    Args:
        labels: int64 [n].
        oversample: 0 to 1; see `times_shown`.
        generator: is not drawn from where each picture is shown once.
    """
    if not oversample:
        return np.arange(len(labels))
    shown = []
    for label, times in enumerate(times_shown(np.bincount(labels).tolist(), oversample)):
        members = np.flatnonzero(labels == label)
        if len(members):
            whole, rest = divmod(times, len(members))
            shown += [np.tile(members, whole), generator.permutation(members)[:rest]]
    return np.concatenate(shown)
