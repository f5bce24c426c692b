"""Pairs of scikit-learn's digits side by side, whose labels are both digits, and an experiment on them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

YAML = """
data: {source: npz, path: pairs.npz, multi_label: true, preprocessing: {size: [8, 16]}}
model: {name: cnn, blocks: [{filters: 16}, {filters: 32, pool: 2}], head: {units: [64]}}
training: {epochs: 3, batch_size: 40, optimizer: {name: adam, learning_rate: 0.003}}
report: {plots: false}
"""


def digit_pairs(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return images uint8 [n, 8, 16] and labels of 0 and 1, uint8 [n, 10]."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    left, right = np.random.default_rng(seed).integers(0, len(digits.images), (2, count))
    labels = np.zeros((count, 10), np.uint8)
    for side in (left, right):
        labels[np.arange(count), digits.target[side]] = 1
    images = (digits.images * 15.9).astype(np.uint8)
    return np.concatenate([images[left], images[right]], axis=2), labels


def write_pairs(folder: Path, count: int = 700) -> Path:
    """Write `pairs.npz` and `pairs.yaml`, and return the latter."""
    images, labels = digit_pairs(count)
    np.savez(folder / "pairs.npz", x=images, y=labels)
    (folder / "pairs.yaml").write_text(YAML)
    return folder / "pairs.yaml"
