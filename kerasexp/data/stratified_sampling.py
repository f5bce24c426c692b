"""Stratified samples and partitions: each class, or set of labels, keeps its share."""

from __future__ import annotations

import numpy as np

from kerasexp.data.label_sets import label_set_numbers


def stratified_sample(labels: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Return the ascending positions, int64, of at most `count` images; each class keeps its share, give or take an image."""
    order = _by_class(labels, seed)
    if len(order) > count:
        order = order[np.linspace(0, len(order) - 1, count).astype(np.int64)]
    return np.sort(order)


def stratified_parts(labels: np.ndarray, parts: int, seed: int) -> np.ndarray:
    """Return the part, from 0, of each image: int64 [n]; each class is spread evenly over the parts."""
    order = _by_class(labels, seed)
    result = np.empty(len(labels), np.int64)
    result[order] = np.arange(len(labels)) % parts
    return result


def _by_class(labels: np.ndarray, seed: int) -> np.ndarray:
    labels = label_set_numbers(labels)
    shuffled = np.random.default_rng((seed, 3)).permutation(len(labels))
    return shuffled[np.argsort(labels[shuffled], kind="stable")]
