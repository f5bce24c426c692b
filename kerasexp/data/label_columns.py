"""How a table of images has its labels: one an image, or several in a cell, in several rows, or in columns of 0 and 1."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from kerasexp.config.data_section import Columns
from kerasexp.data.label_sets import SEPARATOR
from kerasexp.data.sources.image_table import ImageTable, read_image_table
from kerasexp.data.sources.table import MOST_AMBIGUOUS, TableRow, complete_rows
from kerasexp.data.sources.table_labels import likely_separator
from kerasexp.errors import Problem, UserError, listing


@dataclass(frozen=True)
class LabelColumns:
    """The labels of a table.

    Attributes:
        columns: the key `data.columns` that reads them.
        paths: those of the images, of the rows that have a label.
        several: why an image has several labels, as a sentence; None if it has one.
        by_flags: whether they are columns of 0 and 1.
        holds_images: whether the table holds the images themselves.
    """

    columns: Columns
    paths: list[str]
    several: str | None = None
    by_flags: bool = False
    holds_images: bool = False


def find_label_columns(path: Path, label: str | None) -> LabelColumns:
    """Return how a table has its labels.

    Args:
        path: the table.
        label: its column of labels; None if it is found.

    Raises:
        UserError: the table cannot be read, a label is invalid, or which column holds the labels is not clear.
    """
    columns = Columns(label=label)
    try:
        table = read_image_table(path, columns)
    except UserError:
        if label is not None:
            raise
        # Only columns of 0 and 1 are clear without a column of labels; without them this raises the same error.
        return _from_flags(read_image_table(path, columns, multi_label=True))
    rows, held = complete_rows(table).complete, table.contents is not None
    cells = [row.label for row in rows]
    found = likely_separator(cells)
    if found is None and table.may_hold_several_labels():
        found = likely_separator(cells, " ")
    paths = [row.path for row in rows]
    if found is not None:
        columns = columns.model_copy(update={"separator": found[0]})
        return LabelColumns(columns, paths, f"cells such as '{found[1]:.80}' have several", holds_images=held)
    several = _several_rows(rows)
    if several is not None:
        # One label a row, which may have spaces or commas in it.
        columns = columns.model_copy(update={"separator": SEPARATOR})
    return LabelColumns(columns, paths, several, holds_images=held)


def _from_flags(table: ImageTable) -> LabelColumns:
    rows = complete_rows(table).complete
    texts = {part for row in rows for part in row.label.split(SEPARATOR)}
    names = [table.name(column) for column in table.columns.flags]
    unused = [name for name in names if name not in texts]
    used = [name for name in names if name in texts]
    if len(used) < 2:
        message = f"of the columns of 0 and 1, {listing(names, 8)}, fewer than two have a 1"
        raise UserError(Problem(message, table.file, "data.columns.label"))
    reason = f"the columns {listing(used, 8)} hold 0 and 1"
    if unused:
        reason += f" ({listing(unused, 8)} only 0, which is left out)"
    if all(len(list(filter(None, row.label.split(SEPARATOR)))) == 1 for row in rows):
        reason += "; each image has exactly one of them, and a column of their names would make it one label an image"
    columns = Columns(label=used if unused else None)
    return LabelColumns(columns, [row.path for row in rows], reason, True, table.contents is not None)


def _several_rows(rows: list[TableRow]) -> str | None:
    """Return why an image has several labels if many images have rows with different ones."""
    labels: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        labels[row.path].add(row.label)
    several = {path: own for path, own in labels.items() if len(own) > 1}
    if len(several) <= MOST_AMBIGUOUS * len(labels):
        return None
    path, own = next(iter(several.items()))
    return f"images such as {path} have several rows, with {listing(sorted(own), 4)}"
