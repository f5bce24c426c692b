"""Preprocessed images for other programs: as CSV files of pixels, or as PNG files with a table of their labels."""

from __future__ import annotations

import io
from collections.abc import Callable
from itertools import chain
from pathlib import Path

import numpy as np

from kerasexp.config import Experiment
from kerasexp.console import Console
from kerasexp.data.label_sets import is_multi_label
from kerasexp.data.lazy_images import chunks
from kerasexp.data.load_data import prepare_data
from kerasexp.data.prepared_data import PreparedData
from kerasexp.data.sources.csv import write_csv
from kerasexp.errors import Problem, UserError
from kerasexp.storage import new_folder, write_bytes, write_errors, write_table

TABLE = "table.csv"


def export_csv(experiment: Experiment, folder: Path, console: Console) -> Path:
    """Write `train.csv`, `val.csv` and `test.csv` into a new folder and return it.

    Raises:
        UserError: the folder already exists, or the data cannot be prepared.
        RunError: the folder cannot be written.
    """
    return _export(experiment, folder, console, _write_csv_files)


def export_images(experiment: Experiment, folder: Path, console: Console) -> Path:
    """Write a PNG file for each image into a new folder, and `table.csv` with paths, labels, splits, and groups if any.

    With several labels an image, the table has a column of 0 and 1 for each class: an image may have none.

    Raises:
        UserError: the folder already exists, or the data cannot be prepared.
        RunError: the folder cannot be written.
    """
    return _export(experiment, folder, console, _write_image_files)


def _export(
    experiment: Experiment, folder: Path, console: Console, write: Callable[[Path, PreparedData], None]
) -> Path:
    if folder.exists():
        raise UserError(Problem("already exists; choose another folder", str(folder), "--output"))
    data = prepare_data(experiment, console)
    with write_errors(folder), new_folder(folder) as temporary:
        write(temporary, data)
    return folder


def _write_csv_files(folder: Path, data: PreparedData) -> None:
    if is_multi_label(data.splits["train"].labels):
        message = "a table of pixels has one label an image; --format images keeps several"
        raise UserError(Problem(message, key="data.multi_label"))
    for name, split in data.splits.items():
        write_csv(folder / f"{name}.csv", split.images, [data.class_names[label] for label in split.labels])


def _write_image_files(folder: Path, data: PreparedData) -> None:
    rows, has_groups = [], any(split.groups is not None for split in data.splits.values())
    several = is_multi_label(data.splits["train"].labels)
    for name, split in data.splits.items():
        (folder / name).mkdir()
        groups = split.groups or [""] * len(split)
        for position, image in enumerate(chain.from_iterable(chunks(split.images))):
            path = f"{name}/{position:06d}.png"
            write_bytes(folder / path, _png(image))
            label = split.labels[position]
            # The group of an image without one begins with NUL.
            group = ["" if groups[position].startswith("\0") else groups[position]] if has_groups else []
            one, flags = ([], label.tolist()) if several else ([data.class_names[label]], [])
            rows.append([path, *one, name, *group, *flags])
    one, flags = ([], data.class_names) if several else (["label"], [])
    # Classes come last: of two columns that are called split, the first is taken for the splits.
    header = ["image", *one, "split", *(["group"] if has_groups else []), *flags]
    write_table(folder / TABLE, header, rows)


def _png(image: np.ndarray) -> bytes:
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image).save(file, "PNG")
    return file.getvalue()
