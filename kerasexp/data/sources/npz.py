"""NumPy archives of images: `x_train`, `y_train`, optionally `x_val`, `y_val`, `x_test`, `y_test`; or only `x`, `y`."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from kerasexp.config.data_section import DataSource
from kerasexp.data.dataset_lookup import find_data_path
from kerasexp.data.label_sets import label_set, with_label_sets
from kerasexp.data.source import Source, source_from_arrays
from kerasexp.data.sources.stored_labels import NO_REGRESSION, as_labels
from kerasexp.data.value_range import StoredPixels, ValueRange, arrays_to_uint8
from kerasexp.errors import Problem, UserError, listing


def load_npz(data: DataSource) -> Source:
    """Load an `.npz` file of images of any numeric type.

    Raises:
        MissingData: the file does not exist.
        UserError: the archive is invalid; see `read_splits`.
    """
    found = find_data_path(data.path)
    splits, value_range = read_splits(found, data.range, data.multi_label)
    origin = f"npz file {found.name}"
    if not data.multi_label:
        return source_from_arrays(origin, splits, data.class_names, value_range)
    return source_of_flags(origin, splits, data.class_names, value_range)


def source_of_flags(
    origin: str,
    splits: dict[str, tuple[np.ndarray, np.ndarray]],
    class_names: dict[str, str] | None,
    value_range: ValueRange | None,
    names: Mapping[str, list[str] | None] | None = None,
) -> Source:
    """Make a source of arrays in memory with several labels an image.

    Args:
        origin: where the images come from, for messages.
        splits: split -> (uint8 [n, height, width, channels], bool [n, classes]).
        class_names: the key `data.class_names`; the stored labels are the numbers of the columns, from 0.
        value_range: the stored values that became 0..255.
        names: as of `source_from_arrays`.

    Raises:
        UserError: the splits have labels of different numbers of classes.
    """
    widths = {split: labels.shape[1] for split, (_, labels) in splits.items()}
    if len(set(widths.values())) > 1:
        shown = listing(f"{width} in {split}" for split, width in widths.items())
        raise UserError(Problem(f"the splits have labels of different numbers of classes: {shown}", origin))
    sets = {
        split: (images, np.array([label_set(map(str, np.flatnonzero(row))) for row in labels]))
        for split, (images, labels) in splits.items()
    }
    source = source_from_arrays(origin, sets, None, value_range, names)
    return with_label_sets(source, class_names, list(map(str, range(widths["train"]))))


def read_splits(
    path: Path, given_range: list[float] | None = None, multi_label: bool = False
) -> tuple[dict[str, tuple[np.ndarray, np.ndarray]], ValueRange | None]:
    """Read an `.npz` file, without unpickling.

    Args:
        path: the file.
        given_range: the key `data.range`.
        multi_label: the key `data.multi_label`.

    Returns:
        split -> (uint8 [n, height, width, 1 or 3], labels as text [n], or bool [n, classes] with `multi_label`), and the range
        of the stored values in all splits, None for 0..255.

    Raises:
        UserError: the file cannot be read, keys are missing, or shapes or values do not fit images and labels.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {key: archive[key] for key in archive.files}
        if not all(isinstance(array, np.ndarray) for array in arrays.values()):
            raise ValueError("it contains files that are not arrays")
    except (OSError, ValueError, EOFError, KeyError, TypeError, MemoryError, zipfile.BadZipFile, zlib.error) as error:
        raise UserError(Problem(f"cannot be read as a NumPy archive: {error}", str(path))) from None
    splits = {}
    for split in ("train", "val", "test"):
        if f"x_{split}" in arrays and f"y_{split}" in arrays:
            splits[split] = arrays[f"x_{split}"], arrays[f"y_{split}"]
    if not splits and {"x", "y"} <= arrays.keys():
        splits["train"] = arrays["x"], arrays["y"]
    if "train" not in splits:
        raise UserError(
            Problem(f"contains {listing(arrays) or 'nothing'}; x_train and y_train (or x and y) are needed", str(path))
        )
    stored = [
        checked_arrays(images, labels, f"{path}: {split}", multi_label) for split, (images, labels) in splits.items()
    ]
    converted, value_range = arrays_to_uint8([pixels for pixels, _ in stored], given_range)
    labels = [names for _, names in stored]
    return dict(zip(splits, zip(converted, labels, strict=True), strict=True)), value_range


def checked_arrays(
    images: np.ndarray, labels: np.ndarray, name: str, multi_label: bool = False
) -> tuple[StoredPixels, np.ndarray]:
    """Return images [n, height, width, 1 or 3] of any type and labels as text [n], or bool [n, classes] with `multi_label`.

    Raises:
        UserError: shapes or labels do not fit; the message begins with `name`.
    """
    if images.ndim == 3:
        images = images[..., np.newaxis]
    if images.ndim != 4 or images.shape[3] not in (1, 3) or 0 in images.shape:
        message = f"images have shape {images.shape}; [n, height, width] or [n, height, width, 1 or 3] is needed"
        if images.ndim == 4 and images.shape[1] in (1, 3):
            message += "; save np.moveaxis(images, 1, -1), whose channels come last"
        raise UserError(Problem(message, name))

    def place(position: int) -> str:
        return f"image {position}"

    if multi_label:
        return StoredPixels(images, name, place), _flags(labels, len(images), name)
    labels = labels.reshape(-1) if labels.ndim == 2 and labels.shape[1] == 1 else labels
    if labels.shape != (len(images),):
        message = f"labels have shape {labels.shape}; [{len(images)}] is needed, one per image"
        if labels.ndim == 2 and len(labels) == len(images):
            message += "; several labels an image, each 0 or 1, need data.multi_label: true"
        raise UserError(Problem(message, name))
    return StoredPixels(images, name, place), as_labels(labels, name, place)


def _flags(labels: np.ndarray, count: int, name: str) -> np.ndarray:
    """Return labels of 0 and 1 as bool [n, classes]."""
    if labels.ndim != 2 or len(labels) != count:
        message = f"labels have shape {labels.shape}; data.multi_label needs [{count}, classes], of 0 and 1"
        raise UserError(Problem(message, name))
    if labels.dtype.kind not in "biuf":
        raise UserError(Problem(f"has labels of type {labels.dtype}; data.multi_label needs 0 and 1", name))
    wrong = np.argwhere((labels != 0) & (labels != 1))
    if len(wrong):
        image, column = wrong[0]
        found = f"image {image} has {labels[image, column]:g} for class {column}"
        raise UserError(Problem(f"{found}; labels are 0 or 1. {NO_REGRESSION}", name))
    return labels.astype(bool)
