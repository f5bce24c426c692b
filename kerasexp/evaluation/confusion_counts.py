"""Tables that count two labellings of the same images; sparse where there are many classes."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array

from kerasexp.evaluation.metric_limits import DENSE_CLASSES

# int64 [classes, classes]: an array up to `DENSE_CLASSES`, and of more a sparse one. Both have `sum`, `trace`, `diagonal`.
Table = np.ndarray | csr_array


def contingency_table(first: np.ndarray, second: np.ndarray, classes: int) -> Table:
    """Return the counts: a row per class of the first labelling (labels), a column per class of the second (predictions)."""
    if classes > DENSE_CLASSES:
        return csr_array((np.ones(len(first), np.int64), (first, second)), (classes, classes))
    return np.bincount(first * classes + second, minlength=classes * classes).reshape(classes, classes)


def filled_cells(table: Table) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return row, column and count of each cell that is not 0, row by row; int64 [cells] each."""
    if isinstance(table, csr_array):
        table = table.sorted_indices()
        rows = np.repeat(np.arange(table.shape[0]), np.diff(table.indptr))
        return rows, table.indices.astype(np.int64), table.data
    rows, columns = np.nonzero(table)
    return rows, columns, table[rows, columns]


def matched_count(table: Table, columns: np.ndarray) -> int:
    """Return the number of images whose column is the one given for their row, int64 [classes]."""
    rows, found, counts = filled_cells(table)
    return int(counts[columns[rows] == found].sum())


def in_blocks(table: Table) -> tuple[np.ndarray, int]:
    """Return the counts of blocks of adjacent classes, int64 [blocks, blocks] and never sparse, and the classes in a block."""
    size = -(-table.shape[0] // DENSE_CLASSES)
    if size == 1 and not isinstance(table, csr_array):
        return table, 1
    rows, columns, counts = filled_cells(table)
    blocks = -(-table.shape[0] // size)
    sums = np.bincount(rows // size * blocks + columns // size, counts, blocks * blocks)
    return sums.reshape(blocks, blocks).astype(np.int64), size
