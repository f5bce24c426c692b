"""Mutual information of labels and predictions in bits, and its distribution by chance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

DRAWS = 500
# Most cells of the tables drawn at a time; one table of two hundred classes has 40,000.
CELLS = 1_000_000


@dataclass(frozen=True)
class Information:
    """Mutual information of a contingency table of labels and predictions.

    Attributes:
        bits: mutual information, in bits.
        null: float64 [draws], the same of random tables with these row and column sums, labels and predictions independent.
        p_value: share of random tables with as much or more.
        label_bits: entropy of the labels, the upper limit of `bits`.
    """

    bits: float
    null: np.ndarray
    p_value: float
    label_bits: float

    @property
    def beyond_chance(self) -> float:
        """Bits above the mean of the random tables: mutual information is overestimated in small samples."""
        return max(self.bits - float(self.null.mean()), 0.0)


def contingency_table(labels: np.ndarray, predictions: np.ndarray, classes: int) -> np.ndarray:
    """Return int64 [classes, classes]: a row per label, a column per predicted class."""
    return np.bincount(labels * classes + predictions, minlength=classes * classes).reshape(classes, classes)


def mutual_information(tables: np.ndarray) -> np.ndarray:
    """Return the mutual information of rows and columns, in bits: float64 [...] for counts [..., rows, columns]."""
    return (
        _entropy(tables.sum(axis=-1)) + _entropy(tables.sum(axis=-2)) - _entropy(tables.reshape(*tables.shape[:-2], -1))
    )


def complementary_limit(classes: int) -> float:
    """Return the most bits that labels of a random wrong class share with the true class: log2(K / (K - 1))."""
    return float(np.log2(classes / (classes - 1)))


def information(table: np.ndarray, seed: int = 0) -> Information:
    """Return the mutual information of a table, and that of random tables with the same sums.

    The random tables are distributed as those of permuted labels, but are drawn directly (Patefield 1981).

    Args:
        table: int [rows, columns], of at least one image.
        seed: of the draws.
    """
    from scipy.stats import random_table

    rows, columns = table.sum(axis=1), table.sum(axis=0)
    tables, generator = random_table(rows[rows > 0], columns[columns > 0]), np.random.default_rng(seed)
    chunk = max(CELLS // (np.count_nonzero(rows) * np.count_nonzero(columns)), 1)
    sizes = [min(chunk, DRAWS - first) for first in range(0, DRAWS, chunk)]
    null = np.concatenate([mutual_information(tables.rvs(size, random_state=generator)) for size in sizes])
    bits = float(mutual_information(table))
    # The tolerance counts draws that equal the table but for rounding.
    p_value = (1 + int(np.sum(null >= bits - 1e-12))) / (1 + DRAWS)
    return Information(bits, null, p_value, float(_entropy(rows)))


def _entropy(counts: np.ndarray) -> np.ndarray:
    shares = counts / np.maximum(counts.sum(axis=-1, keepdims=True), 1)
    return -(shares * np.log2(np.where(shares > 0, shares, 1))).sum(axis=-1)
