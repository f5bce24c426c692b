"""Stratified samples, partitions and folds: each class, or set of labels, keeps its share."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np

from kerasexp.data.label_sets import label_set_numbers

# Most folds of the cross-validation that picks a setting of a classical head.
FOLDS = 5


def stratified_sample(labels: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Return the ascending positions, int64, of at most `count` images; each class keeps its share, give or take an image."""
    order = _by_class(labels, seed)
    if len(order) > count:
        order = order[np.linspace(0, len(order) - 1, count).astype(np.int64)]
    return np.sort(order)


def stratified_parts(labels: np.ndarray, parts: int, seed: int, groups: Sequence[str] | None = None) -> np.ndarray:
    """Return the part, from 0, of each image: int64 [n]; each class is spread evenly over the parts.

    Args:
        labels: int64 [n], or uint8 [n, classes].
        parts: their number.
        seed: of the random choice.
        groups: one per image; all images of a group are in one part, if there are as many groups as parts.
    """
    if groups is not None and len(set(groups)) >= parts:
        return _parts_of_groups(label_set_numbers(labels), parts, seed, groups)
    order = _by_class(labels, seed)
    result = np.empty(len(labels), np.int64)
    result[order] = np.arange(len(labels)) % parts
    return result


def cross_validation_folds(
    labels: np.ndarray, groups: Sequence[str] | None, seed: int
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the positions of each fold of a stratified cross-validation: to train on, and held out.

    Args:
        labels: int64 [n], at least two of each class.
        groups: one per image, at least two; all images of a group are in one fold.
        seed: of the shuffle.
    """
    counts = np.bincount(labels)
    folds = min(FOLDS, int(counts[counts > 0].min()))
    if groups is None:
        from sklearn.model_selection import StratifiedKFold

        return list(StratifiedKFold(folds, shuffle=True, random_state=seed).split(labels, labels))
    parts = stratified_parts(labels, min(folds, len(set(groups))), seed, groups)
    return [(np.flatnonzero(parts != part), np.flatnonzero(parts == part)) for part in np.unique(parts)]


def _parts_of_groups(labels: np.ndarray, parts: int, seed: int, groups: Sequence[str]) -> np.ndarray:
    from sklearn.model_selection import StratifiedGroupKFold

    numbers = np.unique(groups, return_inverse=True)[1]
    result = np.empty(len(labels), np.int64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a class with fewer images than parts
        splits = StratifiedGroupKFold(parts, shuffle=True, random_state=seed).split(labels, labels, numbers)
        for part, (_, held) in enumerate(splits):
            result[held] = part
    # Groups that share no class tie, and rounding may then put two of them into one part and leave another empty.
    return result if len(np.unique(result)) == parts else numbers % parts


def _by_class(labels: np.ndarray, seed: int) -> np.ndarray:
    labels = label_set_numbers(labels)
    shuffled = np.random.default_rng((seed, 3)).permutation(len(labels))
    return shuffled[np.argsort(labels[shuffled], kind="stable")]
