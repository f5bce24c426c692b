"""Pictures as lines of a CSV file: a label and the flattened pixels, as the reports stored them."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from kerasexp.config.data import DataSource
from kerasexp.config.files import find_file, places
from kerasexp.data.pictures import MissingData, Source, from_arrays
from kerasexp.data.sources.npz import as_uint8
from kerasexp.errors import Problem, UserError, listing


def load_csv(data: DataSource) -> Source:
    """Load one CSV file, or a folder with `train.csv` and perhaps `val.csv` and `test.csv`.

    Raises:
        MissingData: there is no such file or folder.
        UserError: see `read_csv`.
    """
    found = find_file(data.path)
    if found is None:
        raise MissingData(f"'{data.path}' is not at {listing(places(data.path))}")
    if found.is_dir():
        files = {
            split: found / f"{split}.csv" for split in ("train", "val", "test") if (found / f"{split}.csv").is_file()
        }
        if "train" not in files:
            raise UserError(Problem("holds no train.csv", str(found)))
    else:
        files = {"train": found}
    return from_arrays(f"CSV {found.name}", {split: read_csv(path) for split, path in files.items()}, data.class_names)


def read_csv(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Read pictures from CSV: with a header, the column `label` and the others in order; without one, the label first.

    The pixels are those of a square grey picture, or, where the header names them `pixel_<row>_<column>` (or
    `pixel_<row>_<column>_<channel>`), of a picture of that shape.

    Returns:
        uint8 [n, height, width, channels] and the labels as strings [n].

    Raises:
        UserError: a line has another length than the first, a value is no number or out of range, or the pixels make no
            square; with the line's number.
    """
    name = str(path)
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file)
            numbered = [(reader.line_num, row) for row in reader if row]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(Problem(f"cannot be read as CSV: {error}", name)) from None
    header = numbered.pop(0)[1] if numbered and not _is_number(numbered[0][1][-1]) else None
    rows = [row for _, row in numbered]
    if not rows:
        raise UserError(Problem("holds no line of pixels", name))
    if header is not None and "label" not in header:
        raise UserError(Problem(f"has the header {listing(header, 4)} without a column 'label'", name))
    width = len(header or rows[0])
    label_column = header.index("label") if header else 0
    for number, row in numbered:
        if len(row) != width:
            raise UserError(Problem(f"line {number} has {len(row)} values, and {width} are expected", name))
    labels = np.array([row.pop(label_column) for row in rows])
    try:
        pixels = np.array(rows, dtype=np.float64)
    except ValueError:
        number = next(i for i, row in numbered if not all(map(_is_number, row)))
        raise UserError(Problem(f"line {number} holds a value that is no number", name)) from None
    if header:
        header.pop(label_column)
    shape = _shape(header, pixels.shape[1], name)
    return as_uint8(pixels, name).reshape(len(rows), *shape), labels


def write_csv(path: Path, pictures: np.ndarray, labels: list[str]) -> None:
    """Write uint8 pictures [n, height, width, channels] with a header that tells their shape; `read_csv` reads them back."""
    _, height, width, channels = pictures.shape
    suffixes = [""] if channels == 1 else [f"_{c}" for c in range(channels)]
    pixels = [f"pixel_{row}_{column}{s}" for row in range(height) for column in range(width) for s in suffixes]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["label", *pixels])
        for label, picture in zip(labels, pictures.reshape(len(pictures), -1), strict=True):
            writer.writerow([label, *picture.tolist()])


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _shape(header: list[str] | None, count: int, name: str) -> tuple[int, int, int]:
    last = header[-1].split("_")[1:] if header and header[-1].startswith("pixel_") else []
    if len(last) in (2, 3) and all(part.isdigit() for part in last):
        shape = tuple(int(part) + 1 for part in last)
        shape = shape if len(shape) == 3 else (*shape, 1)
    else:
        side = round(count**0.5)
        shape = (side, side, 1)
    if count == 0 or shape[0] * shape[1] * shape[2] != count:
        raise UserError(
            Problem(f"{count} pixels a line make no square picture, nor the shape that the header tells", name)
        )
    return shape
