"""A table of image files: its rows, and which of its columns holds the paths, the labels, the splits and the groups."""

from __future__ import annotations

import posixpath
from collections import Counter
from collections.abc import Container
from dataclasses import dataclass
from pathlib import Path

from kerasexp.config.data_section import Columns
from kerasexp.config.section_base import composed
from kerasexp.data.file_matching import slashed
from kerasexp.data.image_formats import is_image_name
from kerasexp.data.sources.csv_table import LABEL_NAMES, column_position, is_number
from kerasexp.data.sources.delimited_text import SEPARATORS, Rows, read_rows
from kerasexp.data.sources.image_folder import SPLIT_FOLDERS
from kerasexp.data.sources.parquet_table import Contents, read_parquet
from kerasexp.data.sources.table_labels import FLAGS
from kerasexp.errors import Problem, UserError, listing

TABLES, PARQUET = (".csv", ".tsv", ".txt", ".parquet", ".pq"), (".parquet", ".pq")
KEY = "data.columns"
# Lists such as ImageNet's `n01440764/1.JPEG 0` are separated by spaces.
MARKS = {**SEPARATORS, " ": "space"}
IMAGE_NAMES = (
    "image", "images", "path", "paths", "file", "files", "filename", "file_name", "filenames", "filepath", "filepaths", "file_path",
    "image_path", "image_file", "image_name", "image_id", "img", "img_path", "img_name", "id_code", "id",
)  # fmt: skip
MORE_LABEL_NAMES = ("category", "class_name", "label_name")
SEVERAL_LABEL_NAMES = ("classes", "categories", "tags", "finding_labels")
SPLIT_NAMES = ("split", "splits", "set", "subset", "partition", "data_set", "dataset", "fold")
GROUP_NAMES = ("group", "groups", "group_id")
# Rows in which the columns are looked for, and those that say whether it is a table of image files.
SAMPLE, FIRST_ROWS = 1000, 20
# Columns of numbers from which a table without paths is one of pixels.
PIXELS = 16


@dataclass(frozen=True)
class ColumnPositions:
    """The positions of the columns that are used; None for one that the table does not have.

    `flags` are the columns of 0 and 1, one per class, which a table may have in place of a column of labels.
    """

    image: int
    label: int | None
    split: int | None
    group: int | None
    flags: tuple[int, ...] = ()


@dataclass(frozen=True)
class ImageTable:
    """A table of image files.

    Attributes:
        file: its path, for error messages.
        header: names of the columns; None without a header.
        rows: values of each row, without white space around them.
        lines: number of each row's line in the file.
        width: number of columns.
        columns: the columns that are used.
        notes: sentences about the columns.
        contents: the images, by the position of their rows, if the table holds them.
        multi_label: whether an image may have several labels.
        separator: of the labels in a cell, if it is given.
    """

    file: str
    header: list[str] | None
    rows: Rows
    lines: list[int]
    width: int
    columns: ColumnPositions
    notes: list[str]
    contents: Contents | None = None
    multi_label: bool = False
    separator: str | None = None

    def place(self, position: int) -> str:
        """Return the place of a row in the file."""
        return f"line {self.lines[position]}"

    def name(self, column: int) -> str:
        """Return what `data.columns` calls a column: its name in the header, or its number."""
        return self.header[column] if self.header and self.header[column] else str(column + 1)

    def may_hold_several_labels(self) -> bool:
        """Return whether the column of labels has a name such as `tags`."""
        label = self.columns.label
        return label is not None and self.header is not None and _plain(self.header[label]) in SEVERAL_LABEL_NAMES


def read_image_table(path: Path, wanted: Columns | None, multi_label: bool = False) -> ImageTable:
    """Read a table in CSV, TSV, text or Parquet; its separator, its header and its columns are found.

    Args:
        path: the table.
        wanted: the key `data.columns`.
        multi_label: the key `data.multi_label`.

    Raises:
        UserError: it cannot be read, has no rows, or a column is not found.
    """
    contents: dict[int, Contents] = {}
    if path.suffix.lower() in PARQUET:
        header, rows, contents = read_parquet(path)
        lines = list(range(1, len(rows) + 1))
    else:
        lines, rows = read_rows(path, _paths, MARKS)
        rows = [[value.strip() for value in row] for row in rows]
        header = None
        if rows and _is_header(rows):
            header, lines, rows = rows[0], lines[1:], rows[1:]
    if not rows:
        raise UserError(Problem("has no row below its header" if header else "has no row", str(path)))
    width = len(header) if header else Counter(map(len, rows)).most_common(1)[0][0]
    # Some programs end each row with a separator.
    rows = [row[:width] if len(row) > width and not any(row[width:]) else row for row in rows]
    table = _Columns(str(path), header, [row for row in rows[:SAMPLE] if len(row) == width], width, list(contents))
    wanted = wanted or Columns()
    positions, notes = table.find(wanted, multi_label)
    held = contents.get(positions.image)
    return ImageTable(
        str(path),
        header,
        rows,
        lines,
        width,
        positions,
        notes,
        held,
        multi_label,
        wanted.separator if multi_label else None,
    )


def names_images(path: Path, stems: Container[str] = ()) -> bool:
    """Return whether the first rows of a file are those of a table of image files; False if it cannot be read as one.

    Args:
        path: the file.
        stems: names of images without their extension, by which a column such as `image_id` may name them.
    """
    try:
        rows = _first_rows(path)
    except UserError:
        return False
    paths, even = _paths(rows)
    # One row may be the header. Lines of prose that name files have different lengths.
    are_paths = paths > 0 and 2 * paths >= len(rows) - 1
    return 10 * even >= 9 * len(rows) and (are_paths or _names_any(rows, stems))


def lists_names(path: Path) -> bool:
    """Return whether a table without paths lists images all the same: its header says so, or it has no columns of pixels."""
    try:
        rows = _first_rows(path)
    except UserError:
        return False
    numbers = sum(all(map(is_number, column)) for column in zip(*rows[1:], strict=False))
    return len(rows) > 1 and numbers < PIXELS and (numbers < 2 or any(_plain(name) in IMAGE_NAMES for name in rows[0]))


def _first_rows(path: Path) -> Rows:
    """Return the first rows of a table, with its header."""
    if path.suffix.lower() in PARQUET:
        header, rows, _ = read_parquet(path, FIRST_ROWS)
        return [header, *rows]
    return read_rows(path, _paths, MARKS, FIRST_ROWS)[1]


def _names_any(rows: Rows, stems: Container[str]) -> bool:
    """Return whether a column that is called as one of images has one of these names."""
    columns = [column for row in rows[:1] for column, name in enumerate(row) if _plain(name) in IMAGE_NAMES]
    named = (row[column] for row in rows[1:] for column in columns if column < len(row))
    return any(posixpath.basename(composed(slashed(text.strip()))) in stems for text in named)


def _is_header(rows: Rows) -> bool:
    """Return whether the first row has no path and others have one, or, where none has, it is not of numbers."""
    if any(map(is_image_name, rows[0])):
        return False
    return _paths(rows[:FIRST_ROWS])[0] > 0 or 2 * sum(map(is_number, rows[0])) < len(rows[0])


def _paths(rows: Rows) -> tuple[int, int]:
    """Return how good a separator is that gives these rows: the most paths, then the most rows with as many values."""
    lengths = Counter(len(row) for row in rows if len(row) > 1)
    return sum(any(map(is_image_name, row)) for row in rows), max(lengths.values(), default=0)


@dataclass(frozen=True)
class _Columns:
    """The columns of a table, in its first rows; `stored` are those that hold images themselves."""

    file: str
    header: list[str] | None
    rows: Rows
    width: int
    stored: list[int]

    def find(self, wanted: Columns, multi_label: bool) -> tuple[ColumnPositions, list[str]]:
        """Return the positions of the columns, and sentences about those that do not follow from a name."""
        given = {
            key: column_position(name, self.header, self.width, self.file, f"{KEY}.{key}")
            for key in ("image", "label", "split", "group")
            if isinstance(name := getattr(wanted, key), str) and name
        }
        if len(set(given.values())) < len(given):
            raise UserError(
                Problem(f"names one column twice: {listing(map(self.name, given.values()))}", self.file, KEY)
            )
        free = [
            column for column in range(self.width) if column not in given.values() and not self._numbers_rows(column)
        ]
        image = given.get("image")
        if image is None:
            image = self._image(free)
        free = [column for column in free if column != image]
        split, group = given.get("split"), given.get("group")
        if split is None and wanted.split is not False:
            split = self._split(free)
        if group is None and wanted.group is not False:
            group = next((column for column in free if self._is_called(column, GROUP_NAMES)), None)
        free = [column for column in free if column not in (split, group)]
        label, notes, flags = given.get("label"), [], ()
        if multi_label and label is None:
            flags = self._flags(free, wanted)
            if flags and wanted.label is None:
                notes = [
                    f"the labels are the columns of 0 and 1: {self._listed(list(flags))} ({KEY}.label: [NAME, ...])"
                ]
        if label is None and not flags:
            label, notes = self._label(free)
        for key, column in (("split", split), ("group", group)):
            if column is not None and key not in given:
                notes.append(f"the {key}s are the column {self.name(column)} ({KEY}.{key}: false leaves it out)")
        if unused := [self.name(column) for column in free if column != label and column not in flags]:
            notes.append(f"not used: the column{'s' if len(unused) > 1 else ''} {listing(unused)}")
        return ColumnPositions(image, label, split, group, flags), notes

    def name(self, column: int) -> str:
        """Return a column's name for a message: what `data.columns` takes."""
        return f"'{self.header[column]}'" if self.header and self.header[column] else str(column + 1)

    def _is_called(self, column: int, names: tuple[str, ...]) -> bool:
        return self.header is not None and _plain(self.header[column]) in names

    def _values(self, column: int) -> list[str]:
        return [row[column] for row in self.rows if row[column]]

    def _numbers_rows(self, column: int) -> bool:
        """Return whether a column is the index that pandas writes."""
        return self._is_called(column, ("", "unnamed:_0")) and all(map(str.isdecimal, self._values(column)))

    def _image(self, free: list[int]) -> int:
        shares = {column: sum(map(is_image_name, self._values(column))) for column in free}
        found = [column for column in free if column in self.stored]
        found = found or [column for column, count in shares.items() if 2 * count > len(self.rows)]
        called = sorted((c for c in found or free if self._is_called(c, IMAGE_NAMES)), key=self._image_rank)
        if len(found) == 1 or called:
            return called[0] if called else found[0]
        if found:
            message = f"the columns {self._listed(found)} all hold paths of images; write columns: {{image: NAME}}"
            raise UserError(Problem(message, self.file, f"{KEY}.image"))
        if sum(all(map(is_number, self._values(column))) for column in free) >= PIXELS:
            message = f"has {self.width} columns and none of paths; a table of pixels is read by source: csv"
            raise UserError(Problem(message, self.file, "data.source"))
        message = f"no column holds the paths of images; write columns: {{image: NAME}}, one of {self._listed(free)}"
        raise UserError(Problem(message, self.file, f"{KEY}.image"))

    def _image_rank(self, column: int) -> int:
        return IMAGE_NAMES.index(_plain(self.header[column]))

    def _label(self, free: list[int]) -> tuple[int, list[str]]:
        for names in (LABEL_NAMES, MORE_LABEL_NAMES, SEVERAL_LABEL_NAMES):
            called = [column for column in free if self._is_called(column, names)]
            if len(called) == 1:
                return called[0], []
            if called:
                message = f"the columns {self._listed(called)} may all be the labels; write columns: {{label: NAME}}"
                raise UserError(Problem(message, self.file, f"{KEY}.label"))
        if len(free) == 1:
            return free[0], ["the labels are the column " + self.name(free[0])] if self.header else []
        if not free:
            raise UserError(Problem("has paths of images and no column of labels", self.file, f"{KEY}.label"))
        message = f"which column holds the labels? Write columns: {{label: NAME}}, one of {self._listed(free)}"
        if flags := self._flags(free, Columns()):
            message += f"; or multi_label: true, for the columns of 0 and 1, {self._listed(list(flags))}"
        raise UserError(Problem(message, self.file, f"{KEY}.label"))

    def _flags(self, free: list[int], wanted: Columns) -> tuple[int, ...]:
        """Return the columns of 0 and 1, those that are asked for or, without another column of labels, all."""
        key = f"{KEY}.label"
        if isinstance(wanted.label, list):
            return tuple(column_position(name, self.header, self.width, self.file, key) for name in wanted.label)
        flags = [c for c in free if self._values(c) and all(v.lower() in FLAGS for v in self._values(c))]
        names = LABEL_NAMES + MORE_LABEL_NAMES + SEVERAL_LABEL_NAMES
        if any(self._is_called(column, names) for column in set(free) - set(flags)):
            return ()
        return tuple(flags) if len(flags) > 1 else ()

    def _split(self, free: list[int]) -> int | None:
        for column in (column for column in free if self._is_called(column, SPLIT_NAMES)):
            known = [value.lower() in SPLIT_FOLDERS for value in self._values(column)]
            # What a column named `split` holds is checked row by row; `set` or `fold` may mean something else.
            if known and (all(known) or self._is_called(column, SPLIT_NAMES[:2])):
                return column
        return None

    def _listed(self, columns: list[int]) -> str:
        return listing((self.name(column) for column in columns), 8)


def _plain(name: str) -> str:
    return name.strip().lower().replace(" ", "_").replace("-", "_")
