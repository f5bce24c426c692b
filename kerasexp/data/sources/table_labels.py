"""The labels in the rows of a table of images: one a row, or several in a cell or in columns of 0 and 1."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from kerasexp.data.label_sets import SEPARATOR, label_set
from kerasexp.data.sources.stored_labels import NO_REGRESSION, as_labels, stored_value
from kerasexp.errors import Problem, UserError

if TYPE_CHECKING:
    from kerasexp.data.sources.image_table import ImageTable

# In the order in which they are looked for; labels may have the later ones in their names.
LABEL_SEPARATORS = {";": "semicolons", "|": "vertical bars", ",": "commas", " ": "spaces"}
# What a column of 0 and 1 holds, in lower case.
FLAGS = {"0": False, "0.0": False, "false": False, "1": True, "1.0": True, "true": True}
# Share of the cells from which labels of one label an image look like several, and most labels of which that is said.
SUSPICIOUS, MOST_LABELS = 0.1, 1000


def has_label(table: ImageTable, row: list[str]) -> bool:
    """Return whether a row has a label, or with several labels an image a set of them, which may have none."""
    columns = table.columns
    if columns.flags:
        return any(stored_value(row[column]) is not None for column in columns.flags)
    cell = row[columns.label]
    return stored_value(cell) is not None and (table.multi_label or cell != SEPARATOR)


def row_labels(table: ImageTable, positions: list[int]) -> tuple[list[str], list[str]]:
    """Return the stored label of each of these rows, or several as the text of `label_set`, and sentences about them.

    Raises:
        UserError: a label is invalid.
    """
    if table.columns.flags:
        return [_flagged(table, position) for position in positions], []
    cells = [table.rows[position][table.columns.label] for position in positions]

    def place(position: int) -> str:
        return table.place(positions[position])

    if not table.multi_label:
        return as_labels(np.array(cells), table.file, place).tolist(), _suspicion(cells)
    separator, notes = table.separator, []
    if separator is None:
        separator = next((mark for mark in LABEL_SEPARATORS if any(mark in cell for cell in cells)), None)
        if separator is not None:
            notes = [f"the labels in a cell are separated by {LABEL_SEPARATORS[separator]} (data.columns.separator)"]
    parts = [_parts(cell, separator) for cell in cells]
    owners = [row for row, own in enumerate(parts) for _ in own]
    stored = as_labels(
        np.array([part for own in parts for part in own]), table.file, lambda i: place(owners[i])
    ).tolist()
    found: list[list[str]] = [[] for _ in cells]
    for owner, label in zip(owners, stored, strict=True):
        found[owner].append(label)
    return [label_set(own) for own in found], notes


def _parts(cell: str, separator: str | None) -> list[str]:
    parts = [cell] if separator is None else cell.split(separator)
    return [part.strip() for part in parts if part.strip()]


def _flagged(table: ImageTable, position: int) -> str:
    row, names = table.rows[position], []
    for column in table.columns.flags:
        flag = FLAGS.get(row[column].lower())
        name = table.header[column] if table.header else str(column + 1)
        if flag is None:
            shown = f"'{row[column]}'" if row[column] else "nothing"
            message = f"{table.place(position)} has {shown} in the column '{name}'; labels are 0 or 1. {NO_REGRESSION}"
            raise UserError(Problem(message, table.file, "data.columns.label"))
        if flag:
            names.append(name)
    return label_set(names)


def likely_separator(cells: list[str], marks: str = ";|,") -> tuple[str, str] | None:
    """Return the mark that seems to separate labels in cells such as `cat;dog`, and the first such cell; None without one."""
    for mark in marks:
        several = [cell for cell in cells if mark in cell.strip(mark)]
        labels = {part for cell in set(cells) for part in _parts(cell, mark)}
        # The labels of several images recur among those of others.
        if len(several) >= max(SUSPICIOUS * len(cells), 1) and len(labels) < min(len(set(cells)) + 1, MOST_LABELS):
            return mark, several[0]
    return None


def _suspicion(cells: list[str]) -> list[str]:
    """Return a sentence if single labels look like several."""
    found = likely_separator(cells)
    if found is None:
        return []
    return [f"labels such as '{found[1]:.80}' look like several labels an image; data.multi_label: true reads them so"]
