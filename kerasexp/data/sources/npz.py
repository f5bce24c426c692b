"""NumPy archives of images: `x_train`, `y_train`, optionally `x_val`, `y_val`, `x_test`, `y_test`; or only `x`, `y`.

Splits have the names that folders may have: `x_valid` is val, too.
"""

from __future__ import annotations

import zipfile
import zlib
from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from kerasexp.config.data_section import DataSource
from kerasexp.config.section_base import one_line
from kerasexp.data.dataset_lookup import find_data_path
from kerasexp.data.file_accounting import SHOWN, counted
from kerasexp.data.image_zip_checks import METHODS, bomb_fault
from kerasexp.data.label_sets import label_set, with_label_sets
from kerasexp.data.source import Source, source_from_arrays
from kerasexp.data.sources.image_folder import SPLIT_FOLDERS, SPLITS
from kerasexp.data.sources.stored_labels import NO_REGRESSION, as_labels
from kerasexp.data.value_range import StoredPixels, ValueRange, arrays_to_uint8
from kerasexp.errors import Problem, UserError, listing


class NpzImages(NamedTuple):
    """The images of an archive.

    Attributes:
        splits: split -> (uint8 [n, height, width, 1 or 3], labels as text [n], or bool [n, classes] with `multi_label`).
        value_range: that of the stored values in all splits; None for 0..255.
        unused: names of the other arrays.
    """

    splits: dict[str, tuple[np.ndarray, np.ndarray]]
    value_range: ValueRange | None
    unused: list[str]


def load_npz(data: DataSource) -> Source:
    """Load an `.npz` file of images of any numeric type.

    Raises:
        MissingData: the file does not exist.
        UserError: the archive is invalid; see `read_splits`.
    """
    found = find_data_path(data.path)
    splits, value_range, unused = read_splits(found, data.range, data.multi_label)
    made = source_of_flags if data.multi_label else source_from_arrays
    source = made(f"npz file {found.name}", splits, data.class_names, value_range)
    if not unused:
        return source
    note = one_line(f"not used: {counted(len(unused), 'array')} of {found.name}: {listing(unused, SHOWN)}")
    return replace(source, notes=(note,))


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


def read_splits(path: Path, given_range: list[float] | None = None, multi_label: bool = False) -> NpzImages:
    """Read the arrays of an `.npz` file that are images or labels, without unpickling.

    Args:
        path: the file.
        given_range: the key `data.range`.
        multi_label: the key `data.multi_label`.

    Raises:
        UserError: the file cannot be read or unpacks to implausibly much, arrays are missing (see `_keys_of_splits`), or shapes
            or values do not fit images and labels.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            keys = _keys_of_splits(archive.files, str(path))
            used = {key for pair in keys.values() for key in pair}
            unused = [key for key in archive.files if key not in used]
            _refuse_bomb(archive.zip, used, path.stat().st_size)
            splits = {split: tuple(archive[key] for key in pair) for split, pair in keys.items()}
        if not all(isinstance(array, np.ndarray) for pair in splits.values() for array in pair):
            raise ValueError("it contains files that are not arrays")
    except (OSError, ValueError, EOFError, KeyError, TypeError, MemoryError, zipfile.BadZipFile, zlib.error) as error:
        raise UserError(Problem(f"cannot be read as a NumPy archive: {error}", str(path))) from None
    stored = [
        checked_arrays(images, labels, f"{path}: {split}", multi_label) for split, (images, labels) in splits.items()
    ]
    converted, value_range = arrays_to_uint8([pixels for pixels, _ in stored], given_range)
    labels = [names for _, names in stored]
    return NpzImages(dict(zip(splits, zip(converted, labels, strict=True), strict=True)), value_range, unused)


def _keys_of_splits(stored: Collection[str], file: str) -> dict[str, tuple[str, str]]:
    """Return split -> the keys of its images and of its labels.

    Raises:
        UserError: a split has images without labels, labels without images, or two arrays of either; or there is no train.
    """
    found: dict[str, dict[str, str]] = defaultdict(dict)
    for key in stored:
        kind, _, split = key.partition("_")
        if kind in ("x", "y") and split in SPLIT_FOLDERS:
            other = found[SPLIT_FOLDERS[split]].setdefault(kind, key)
            if other != key:
                raise UserError(Problem(f"has both {other} and {key}, which are of one split; leave one out", file))
    if not found and {"x", "y"} <= set(stored):
        return {"train": ("x", "y")}
    for own in found.values():
        if len(own) == 1:
            (key,) = own.values()
            missing = ("y" if key.startswith("x") else "x") + key[1:]
            raise UserError(Problem(f"has {key} and no {missing}; a split needs both", file))
    if "train" not in found:
        message = f"contains {listing(stored) or 'nothing'}; x_train and y_train (or x and y) are needed"
        raise UserError(Problem(message, file))
    return {split: (found[split]["x"], found[split]["y"]) for split in SPLITS if split in found}


def _refuse_bomb(archive: zipfile.ZipFile, keys: Collection[str], size: int) -> None:
    """Raise ValueError if the arrays of these keys would take much more memory than the archive has bytes."""
    members = [member for member in archive.infolist() if member.filename.removesuffix(".npy") in keys]
    for member in members:
        if member.compress_type not in METHODS:
            raise ValueError(f"{member.filename!r:.100} is not {' or '.join(METHODS.values())}")
    if fault := bomb_fault(size, sum(member.file_size for member in members)):
        raise ValueError(fault)


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
