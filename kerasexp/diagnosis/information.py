"""How much labels tell of what a model sees in the images: mutual information in bits, and what chance gives."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

DRAWS = 500
# Tables are drawn in portions of so many cells: two hundred classes have 40,000 in each.
CELLS = 1_000_000


@dataclass(frozen=True)
class Information:
    """What a table of labels against answers holds.

    Attributes:
        bits: mutual information, in bits.
        null: float64 [draws], the same of tables without any tie between labels and answers, whose sums are those of this.
        p_value: share of such tables that hold as much or more.
        label_bits: entropy of the labels, the most that can be known of them.
    """

    bits: float
    null: np.ndarray
    p_value: float
    label_bits: float

    @property
    def beyond_chance(self) -> float:
        """Bits above those that chance gives on average, which is what a small table has too much."""
        return max(self.bits - float(self.null.mean()), 0.0)


def label_table(labels: np.ndarray, answers: np.ndarray, classes: int) -> np.ndarray:
    """Return int64 [classes, classes]: a row per label, a column per answer."""
    return np.bincount(labels * classes + answers, minlength=classes * classes).reshape(classes, classes)


def mutual_information(tables: np.ndarray) -> np.ndarray:
    """Return the mutual information of rows and columns, in bits: float64 [...] for counts [..., rows, columns]."""
    return (
        _entropy(tables.sum(axis=-1)) + _entropy(tables.sum(axis=-2)) - _entropy(tables.reshape(*tables.shape[:-2], -1))
    )


def information(table: np.ndarray, seed: int = 0) -> Information:
    """Return what a table holds, beside tables with the same sums in which labels and answers are paired at random.

    Such tables are what permuting the labels gives, drawn at once (Patefield 1981) instead of image by image.

    Args:
        table: int [rows, columns], of at least one image.
        seed: of the draws.
    """
    from scipy.stats import random_table

    rows, columns = table.sum(axis=1), table.sum(axis=0)
    tables, generator = random_table(rows[rows > 0], columns[columns > 0]), np.random.default_rng(seed)
    portion = max(CELLS // (np.count_nonzero(rows) * np.count_nonzero(columns)), 1)
    sizes = [min(portion, DRAWS - first) for first in range(0, DRAWS, portion)]
    drawn = [mutual_information(tables.rvs(size, random_state=generator)) for size in sizes]
    bits, null = float(mutual_information(table)), np.concatenate(drawn)
    # A draw that equals the table may differ from it in the last digit.
    p_value = (1 + int(np.sum(null >= bits - 1e-12))) / (1 + DRAWS)
    return Information(bits, null, p_value, float(_entropy(rows)))


def _entropy(counts: np.ndarray) -> np.ndarray:
    shares = counts / np.maximum(counts.sum(axis=-1, keepdims=True), 1)
    return -(shares * np.log2(np.where(shares > 0, shares, 1))).sum(axis=-1)
