"""CSV files of images: one line per image with its label and flattened pixels, the format of the papers' datasets."""

from __future__ import annotations

import csv
from itertools import chain
from pathlib import Path

import numpy as np

from kerasexp.config.data import DataSource
from kerasexp.data.dataset_lookup import find_data_path
from kerasexp.data.disk_arrays import ImagesOnDisk, chunks
from kerasexp.data.source import Source, source_from_arrays
from kerasexp.data.sources.pixel_values import as_labels, as_uint8
from kerasexp.errors import Problem, UserError, listing

# A first line that counts 0, 1, 2, ... past this number is a header written by pandas, not an image.
MAX_COUNTING = 16


def load_csv(data: DataSource) -> Source:
    """Load one CSV file, or a folder with `train.csv` and optionally `val.csv` and `test.csv`.

    Raises:
        MissingData: there is no such file or folder.
        UserError: see `read_csv`.
    """
    found = find_data_path(data.path)
    if found.is_dir():
        files = {
            split: found / f"{split}.csv" for split in ("train", "val", "test") if (found / f"{split}.csv").is_file()
        }
        if "train" not in files:
            raise UserError(Problem("has no train.csv", str(found)))
    else:
        files = {"train": found}
    return source_from_arrays(
        f"CSV {found.name}", {split: read_csv(path) for split, path in files.items()}, data.class_names
    )


def read_csv(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Read images from CSV.

    With a header, the label is the column `label`; without one, it is the first value. If the header names the pixels
    `pixel_<row>_<column>` or `pixel_<row>_<column>_<channel>`, they form an image of that shape; otherwise a square grey
    image.

    Returns:
        uint8 [n, height, width, channels] and the labels as text [n].

    Raises:
        UserError: a line has a different length or an invalid pixel or label (see `as_uint8` and `as_labels`), with the line
            number; or the pixels do not form a square or are not in order.
    """
    name = str(path)
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file)
            numbered = [(reader.line_num, row) for row in reader if row]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(Problem(f"cannot be read as CSV: {error}", name)) from None
    header = numbered.pop(0)[1] if numbered and _is_header(numbered[0][1]) else None
    rows, lines = [row for _, row in numbered], [number for number, _ in numbered]
    if not rows:
        raise UserError(Problem("has no line with pixels", name))
    if header is not None and "label" not in header:
        raise UserError(Problem(f"has the header {listing(header, 4)} without a column 'label'", name))
    width = len(header or rows[0])
    label_column = header.index("label") if header else 0
    for line, row in numbered:
        if len(row) != width:
            raise UserError(Problem(f"line {line} has {len(row)} values; {width} are expected", name))

    def place(position: int) -> str:
        return f"line {lines[position]}"

    labels = as_labels(np.array([row.pop(label_column) for row in rows]), name, place)
    try:
        pixels = np.array(rows, dtype=np.float64)
    except ValueError:
        line, value = next((i, value) for i, row in numbered for value in row if not _is_number(value))
        raise UserError(Problem(f"line {line} contains '{value}', which is not a number", name)) from None
    if header:
        header.pop(label_column)
    shape = _shape(header, pixels.shape[1], name)
    return as_uint8(pixels, name, place).reshape(len(rows), *shape), labels


def write_csv(path: Path, images: np.ndarray | ImagesOnDisk, labels: list[str]) -> None:
    """Write uint8 images [n, height, width, channels] with a header that gives their shape; `read_csv` reads such files."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["label", *_pixel_names(images.shape[1:])])
        for label, image in zip(labels, chain.from_iterable(chunks(images)), strict=True):
            writer.writerow([label, *image.ravel().tolist()])


def _is_header(line: list[str]) -> bool:
    """Return whether the first line is a header: it has `label`, ends in a word, or counts the columns."""
    counted = [str(int(line[0]) + i) for i in range(len(line))] if line[0].isdecimal() else None
    return "label" in line or not _is_number(line[-1]) or (line == counted and len(line) > MAX_COUNTING)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _pixel_names(shape: tuple[int, ...]) -> list[str]:
    """Return the column names of an image [height, width, channels]; without the channel if there is only one."""
    height, width, channels = shape
    suffixes = [""] if channels == 1 else [f"_{channel}" for channel in range(channels)]
    return [f"pixel_{row}_{column}{suffix}" for row in range(height) for column in range(width) for suffix in suffixes]


def _shape(header: list[str] | None, count: int, name: str) -> tuple[int, int, int]:
    last = header[-1].split("_")[1:] if header and header[-1].startswith("pixel_") else []
    if len(last) in (2, 3) and all(part.isdigit() for part in last):
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
