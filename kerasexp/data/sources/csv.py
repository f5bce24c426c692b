"""CSV files of images: one line per image with its label and flattened pixels, the format of the papers' datasets."""

from __future__ import annotations

import csv
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import numpy as np

from kerasexp.config.data_section import DataSource
from kerasexp.config.section_base import one_line
from kerasexp.data.dataset_lookup import find_data_path
from kerasexp.data.file_accounting import SHOWN, counted
from kerasexp.data.folder_listing import is_hidden_name
from kerasexp.data.lazy_images import LazyImages, chunks
from kerasexp.data.source import Source, source_from_arrays
from kerasexp.data.sources.csv_table import DECIMAL_COMMA, Table, is_number, label_position, read_table
from kerasexp.data.sources.image_folder import SPLIT_FOLDERS, SPLITS
from kerasexp.data.sources.image_table import names_images
from kerasexp.data.sources.stored_labels import as_labels
from kerasexp.data.value_range import StoredPixels, arrays_to_uint8
from kerasexp.errors import Problem, UserError, listing


class CsvImages(NamedTuple):
    """The images of one file.

    Attributes:
        pixels: [n, height, width, channels], as stored.
        labels: text [n].
        column: the column of labels as `data.label_column` takes it: a name, first, last, or a number from 1.
        notes: sentences about how the file was read.
    """

    pixels: StoredPixels
    labels: np.ndarray
    column: str
    notes: list[str]


def load_csv(data: DataSource) -> Source:
    """Load one CSV file, or a folder with `train.csv` and optionally `val.csv` and `test.csv`, or other names of splits.

    The column of labels is found in `train.csv` and is the same in the others.

    Raises:
        MissingData: there is no such file or folder.
        UserError: see `_files_of_splits` and `read_csv`.
    """
    found = find_data_path(data.path)
    files, notes = _files_of_splits(found) if found.is_dir() else ({"train": found}, [])
    read, column = {}, data.label_column
    for split, path in files.items():
        read[split] = read_csv(path, column)
        column = read["train"].column
    arrays, value_range = arrays_to_uint8([images.pixels for images in read.values()], data.range)
    splits = {split: (array, read[split].labels) for split, array in zip(read, arrays, strict=True)}
    source = source_from_arrays(f"CSV {found.name}", splits, data.class_names, value_range)
    notes += [note for images in read.values() for note in images.notes]
    return replace(source, notes=tuple(dict.fromkeys(notes)))


def _files_of_splits(folder: Path) -> tuple[dict[str, Path], list[str]]:
    """Return the CSV file of each split, by its name in capitals or not, and a sentence about the other CSV files.

    Raises:
        UserError: the folder cannot be listed, has no `train.csv`, or has two files of one split.
    """
    try:
        paths = [path for path in sorted(folder.iterdir()) if path.is_file()]
    except OSError as error:
        raise UserError(Problem(f"the folder cannot be listed: {error.strerror}", str(folder))) from None
    found, others = {}, []
    for path in (path for path in paths if path.suffix.lower() == ".csv" and not is_hidden_name(path.name)):
        split = SPLIT_FOLDERS.get(path.stem.lower())
        if split is None:
            others.append(path.name)
        elif found.setdefault(split, path) != path:
            message = f"has both {found[split].name} and {path.name}, which are of one split; leave one out"
            raise UserError(Problem(message, str(folder)))
    if "train" not in found:
        files = listing(path.name for path in paths) or "none"
        raise UserError(Problem(f"has no train.csv; files there: {files}", str(folder)))
    note = f"not used: {counted(len(others), 'CSV file')} in {folder.name}: {listing(others, SHOWN)}"
    return {split: found[split] for split in SPLITS if split in found}, [one_line(note)] if others else []


def read_csv(path: Path, label_column: str | None = None) -> CsvImages:
    """Read images from CSV.

    Without `label_column`, the labels are the column that the header names so, or else the first or the last
    column, whichever clearly holds labels. If the header names the pixels `pixel_<row>_<column>` or
    `pixel_<row>_<column>_<channel>`, they form an image of that shape; otherwise a square grey image.

    Raises:
        UserError: it is a table of paths; it is invalid, or the labels are not found (see `read_table` and
            `label_position`); a pixel or a label is invalid, with the line number; or the pixels do not form a square or are
            not in order.
    """
    if names_images(path):
        raise UserError(
            Problem("holds paths of images and no pixels; source: table reads it", str(path), "data.source")
        )
    table = read_table(path)
    position, note = label_position(table, label_column)
    column = table.header[position] if table.header else _place(position, len(table.rows[0]))
    labels = as_labels(np.array([row.pop(position).strip() for row in table.rows]), table.file, table.place)
    try:
        pixels = np.array(table.rows, dtype=np.float64)
    except ValueError:
        raise UserError(_not_a_number(table)) from None
    header = table.header and table.header[:position] + table.header[position + 1 :]
    shape = _shape(header, pixels.shape[1], table.file)
    stored = StoredPixels(pixels.reshape(len(pixels), *shape), table.file, table.place)
    return CsvImages(stored, labels, column, [*table.notes, *([note] if note else [])])


def _place(position: int, columns: int) -> str:
    return {0: "first", columns - 1: "last"}.get(position, str(position + 1))


def _not_a_number(table: Table) -> Problem:
    for line, row in zip(table.lines, table.rows, strict=True):
        for value in row:
            if DECIMAL_COMMA.fullmatch(value):
                return Problem(f"line {line} contains '{value}'; write decimals with a point", table.file)
            if not is_number(value):
                return Problem(f"line {line} contains '{value}', which is not a number", table.file)
    raise AssertionError("every value is a number")


def write_csv(path: Path, images: np.ndarray | LazyImages, labels: list[str]) -> None:
    """Write uint8 images [n, height, width, channels] with a header that gives their shape; `read_csv` reads such files."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["label", *_pixel_names(images.shape[1:])])
        for label, image in zip(labels, chain.from_iterable(chunks(images)), strict=True):
            writer.writerow([label, *image.ravel().tolist()])


def _pixel_names(shape: tuple[int, ...]) -> list[str]:
    """Return the column names of an image [height, width, channels]; without the channel if there is only one."""
    height, width, channels = shape
    suffixes = [""] if channels == 1 else [f"_{channel}" for channel in range(channels)]
    return [f"pixel_{row}_{column}{suffix}" for row in range(height) for column in range(width) for suffix in suffixes]


def _shape(header: list[str] | None, count: int, name: str) -> tuple[int, int, int]:
    last = header[-1].split("_")[1:] if header and header[-1].startswith("pixel_") else []
    if len(last) in (2, 3) and all(part.isdecimal() and len(part) < 6 for part in last):
        shape = tuple(int(part) + 1 for part in last)
        shape = shape if len(shape) == 3 else (*shape, 1)
        if len(header) == count == shape[0] * shape[1] * shape[2] and header != _pixel_names(shape):
            raise UserError(Problem("the columns pixel_0_0, pixel_0_1, ... are not in order", name))
    else:
        side = round(count**0.5)
        shape = (side, side, 1)
    if count == 0 or shape[0] * shape[1] * shape[2] != count:
        raise UserError(
            Problem(f"{count} pixels per line form neither a square image nor the shape in the header", name)
        )
    return shape
