"""STL-10: 5,000 and 8,000 colour images of ten classes at 96x96, from ImageNet (Coates, Ng and Lee, AISTATS 2011)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from kerasexp.config.data_section import DataSource
from kerasexp.data.dataset_lookup import PublishedDataset, find_dataset
from kerasexp.data.image_tar_archive import unpack_tar
from kerasexp.data.source import Source, source_from_arrays
from kerasexp.errors import Problem, UserError

URL = "http://ai.stanford.edu/~acoates/stl10/stl10_binary.tar.gz"
CHECKSUM = "md5:91f7769df0f17e558f3565bffb0c7dfb"
NAMES = ("stl10_binary", "stl10_binary.tar.gz")
CLASSES, FOLDS = "class_names.txt", "fold_indices.txt"
# Most of the archive is unlabeled_X.bin, which is not used.
FILES = (*(f"{split}_{part}.bin" for split in ("train", "test") for part in "Xy"), CLASSES, FOLDS)
SIDE = 96
BYTES = 3 * SIDE * SIDE


def load_stl10(data: DataSource) -> Source:
    """Load STL-10 from its folder `stl10_binary` or its archive, which is unpacked into the cache.

    `train` has all training images or, with `data.fold`, those of one of the ten published folds.

    Raises:
        MissingData: the dataset is not found and cannot be downloaded.
        UserError: a file is missing, has a wrong size, or has invalid labels.
        RunError: the archive cannot be unpacked into the cache.
    """
    known = PublishedDataset("STL-10", NAMES, URL, CHECKSUM)
    found, place = find_dataset(known, data.path)
    folder = _with_files(found) if found.is_dir() else unpack_tar(found, FILES)
    names = _lines(folder / CLASSES)
    if len(set(names)) < len(names):
        raise UserError(Problem("contains a duplicate class", str(folder / CLASSES)))
    splits = {split: _read(folder, split, np.array(names)) for split in ("train", "test")}
    there = {name for _, labels in splits.values() for name in np.unique(labels).tolist()}
    class_names = data.class_names or {name: name for name in names if name in there}
    source = source_from_arrays(f"STL-10 from {place}", splits, class_names)
    return source if data.fold is None else _only_fold(source, data.fold, folder / FOLDS, len(splits["train"][1]))


def _with_files(folder: Path) -> Path:
    """Return the folder with the files: the given one, or `stl10_binary` inside it."""
    inner = folder / "stl10_binary"
    return inner if inner.is_dir() and not (folder / "train_X.bin").exists() else folder


def _read(folder: Path, split: str, names: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return a split's images, uint8 [n, 96, 96, 3], and the names of their classes [n]."""
    images, labels = _content(folder / f"{split}_X.bin"), _content(folder / f"{split}_y.bin")
    if len(images) != BYTES * len(labels) or not len(labels):
        message = f"has {len(images):,} bytes; the {len(labels):,} labels in {split}_y.bin need {BYTES:,} per image"
        raise UserError(Problem(message, str(folder / f"{split}_X.bin")))
    wrong = np.flatnonzero((labels < 1) | (labels > len(names)))
    if len(wrong):
        message = f"image {wrong[0]} has the label {labels[wrong[0]]}; labels are 1 to {len(names)}"
        raise UserError(Problem(message, str(folder / f"{split}_y.bin")))
    # Each image is stored as three planes, each plane column by column.
    return images.reshape(-1, 3, SIDE, SIDE).transpose(0, 3, 2, 1), names[labels.astype(int) - 1]


def _content(file: Path) -> np.ndarray:
    """Return the bytes of a file. It is read, not mapped: truncating a mapped file would kill the process."""
    try:
        return np.fromfile(file, np.uint8)
    except OSError as error:
        raise UserError(Problem(f"cannot be read: {error.strerror or error}", str(file))) from None


def _only_fold(source: Source, fold: int, file: Path, count: int) -> Source:
    lines = _lines(file)
    if fold >= len(lines):
        raise UserError(
            Problem(f"has no fold {fold}; its {len(lines)} folds are numbered from 0", str(file), "data.fold")
        )
    try:
        wanted = {int(word) for word in lines[fold].split()}
    except ValueError as error:
        raise UserError(Problem(f"line {fold + 1} is not a list of positions: {error}", str(file))) from None
    if not wanted or min(wanted) < 0 or max(wanted) >= count:
        raise UserError(Problem(f"line {fold + 1} has a position outside 0 to {count - 1}", str(file)))
    train = source.splits["train"]
    # Names contain the position in the file, which holds even if classes were left out.
    kept = [i for i, name in enumerate(train.names) if int(name.rpartition("/")[2]) in wanted]
    splits = {**source.splits, "train": train.take(np.array(kept, dtype=np.int64))}
    return replace(source, origin=f"{source.origin}, fold {fold} of train", splits=splits)


def _lines(file: Path) -> list[str]:
    """Return the lines of a text file that are not blank."""
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(Problem(f"cannot be read: {getattr(error, 'strerror', None) or error}", str(file))) from None
    return [line.strip() for line in text.splitlines() if line.strip()]
