"""Splits of images with several labels: each label, from the rarest on, keeps its share (Sechidis et al., ECML PKDD 2011)."""

from __future__ import annotations

import numpy as np


def stratified_subsets(labels: np.ndarray, shares: list[float], seed: int) -> np.ndarray:
    """Return the subset, from 0, of each image, int64 [n].

    An image goes where its rarest label is missed most; of equals, where most images are missed; then at random.

    Args:
        labels: uint8 [n, classes].
        shares: of the subsets, with the sum 1.
        seed: of the order and of ties.
    """
    generator, count = np.random.default_rng((seed, 5)), len(labels)
    order = generator.permutation(count)
    # For images without labels, their own column.
    labels = np.column_stack([labels, ~labels.any(axis=1)]).astype(bool)[order]
    missed, missed_images = np.outer(shares, labels.sum(axis=0)), np.array(shares) * count
    found, left = np.full(count, -1), labels.sum(axis=0)
    while left.any():
        rarest = int(np.where(left > 0, left, count + 1).argmin())
        for image in np.flatnonzero(labels[:, rarest] & (found < 0)):
            most = np.flatnonzero(missed[:, rarest] == missed[:, rarest].max())
            most = most[missed_images[most] == missed_images[most].max()]
            subset = int(most[0] if len(most) == 1 else generator.choice(most))
            found[image] = subset
            missed[subset, labels[image]] -= 1
            missed_images[subset] -= 1
            left[labels[image]] -= 1
    result = np.empty(count, np.int64)
    result[order] = found
    return result
