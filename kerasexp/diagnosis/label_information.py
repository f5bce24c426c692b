"""Mutual information of labels and predictions in bits, and its distribution by chance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kerasexp.evaluation.confusion_counts import Table, filled_cells

DRAWS = 500
# Most cells of the tables drawn at a time; one table of two hundred classes has 40,000.
CELLS = 1_000_000
# Tables with more cells than this are not drawn: the labels are permuted, so that only filled cells take time.
DRAWN_TABLE = 2**16


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


def mutual_information(tables: np.ndarray) -> np.ndarray:
    """Return the mutual information of rows and columns, in bits: float64 [...] for counts [..., rows, columns]."""
    return (
        _entropy(tables.sum(axis=-1)) + _entropy(tables.sum(axis=-2)) - _entropy(tables.reshape(*tables.shape[:-2], -1))
    )


def complementary_limit(classes: int) -> float:
    """Return the most bits that labels of a random wrong class share with the true class: log2(K / (K - 1))."""
    return float(np.log2(classes / (classes - 1)))


def information(table: Table, seed: int = 0) -> Information:
    """Return the mutual information of a table, and that of random tables with the same sums.

    The random tables are distributed as those of permuted labels, but are drawn directly (Patefield 1981) unless they are
    large.

    Args:
        table: int [rows, columns], of at least one image.
        seed: of the draws.
    """
    rows, columns = table.sum(axis=1), table.sum(axis=0)
    if np.count_nonzero(rows) * np.count_nonzero(columns) > DRAWN_TABLE:
        bits, null = _permuted(table, np.random.default_rng(seed))
    else:
        null = _drawn(rows[rows > 0], columns[columns > 0], np.random.default_rng(seed))
        bits = float(mutual_information(table)) if isinstance(table, np.ndarray) else _bits_of_cells(table)
    # The tolerance counts draws that equal the table but for rounding.
    p_value = (1 + int(np.sum(null >= bits - 1e-12))) / (1 + DRAWS)
    return Information(bits, null, p_value, float(_entropy(rows)))


def _drawn(rows: np.ndarray, columns: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Return the bits of random tables with these sums, float64 [draws]."""
    from scipy.stats import random_table

    tables, chunk = random_table(rows, columns), max(CELLS // (len(rows) * len(columns)), 1)
    sizes = [min(chunk, DRAWS - first) for first in range(0, DRAWS, chunk)]
    return np.concatenate([mutual_information(tables.rvs(size, random_state=generator)) for size in sizes])


def _bits_of_cells(table: Table) -> float:
    sums = [table.sum(axis=1), table.sum(axis=0), filled_cells(table)[2]]
    first, second, both = (float(_entropy(counts)) for counts in sums)
    return first + second - both


def _permuted(table: Table, generator: np.random.Generator) -> tuple[float, np.ndarray]:
    """Return the bits of a table, and of the tables of its permuted labels, float64 [draws]."""
    rows, columns, counts = filled_cells(table)
    labels, predictions = np.repeat(rows, counts) * table.shape[1], np.repeat(columns, counts)
    bits, null = _bits_of_cells(table), np.empty(DRAWS)
    # Only the entropy of the cells changes: the sums of rows and columns stay.
    sums = bits + float(_entropy(counts))
    for draw in range(DRAWS):
        cells = np.sort(labels + generator.permutation(predictions))
        borders = np.flatnonzero(np.diff(cells, prepend=-1, append=-1))
        null[draw] = sums - float(_entropy(np.diff(borders)))
    return bits, null


def _entropy(counts: np.ndarray) -> np.ndarray:
    shares = counts / np.maximum(counts.sum(axis=-1, keepdims=True), 1)
    return -(shares * np.log2(np.where(shares > 0, shares, 1))).sum(axis=-1)
