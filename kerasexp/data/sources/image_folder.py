"""Picture files in one folder per class; the folder may be a zip archive."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import numpy as np

from kerasexp.config.data import DataSource
from kerasexp.config.files import find_file, places
from kerasexp.data.archive import Files, open_files
from kerasexp.data.decoding import EXTENSIONS, decode, is_picture_name
from kerasexp.data.pictures import ChangedPicture, MissingData, Pictures, Source, labelled, name_classes
from kerasexp.errors import Problem, UserError, listing

SPLIT_FOLDERS = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
    "testing": "test",
}


def load_image_folder(data: DataSource) -> Source:
    """List the pictures of a folder or zip archive; they are decoded when they are read.

    A lone top folder is stepped into. Folders `train`, `val` and `test` side by side are taken as the splits. A file that
    is written, replaced or removed after this is a ChangedPicture when it is read.

    Raises:
        MissingData: there is no such folder or archive.
        UserError: there are no class folders with pictures, or fewer than two.
    """
    found = find_file(data.path)
    if found is None:
        raise MissingData(f"'{data.path}' is not at {listing(places(data.path))}")
    archive = None if found.is_dir() else _state(found)
    files = open_files(found)
    by_split = class_folders(files)
    folders = name_classes([folder for members in by_split.values() for folder in members], data.class_names)
    paths = {split: [p for folder in folders for p in members.get(folder, [])] for split, members in by_split.items()}
    # What is still in this state when it is read is what the digest, which is made now, is of.
    before = {path: archive or _state(f"{found}/{path}") for of_split in paths.values() for path in of_split}

    def read(path: str, enough: int | None) -> np.ndarray:
        try:
            return decode(files.read(path), enough)
        finally:
            if _state(found if archive else f"{found}/{path}") != before[path]:
                raise ChangedPicture("the file was changed or removed while the pictures were being read") from None

    splits, names = {}, []
    for split, of_split in paths.items():
        stored = np.array([_parts(path)[-2] for path in of_split])
        _, labels, names = labelled(stored, folders)
        splits[split] = Pictures(of_split, labels, _by_position(read, of_split), files.digest)
    return Source(f"pictures in {found.name}", names, folders, splits)


def _by_position(read: Callable[[str, int | None], np.ndarray], paths: list[str]) -> Callable[..., np.ndarray]:
    return lambda position, enough=None: read(paths[position], enough)


def _state(file: Path | str) -> tuple[int, ...] | None:
    """Return what is no longer the same when a file has been written or replaced; None where there is none."""
    try:
        now = os.stat(file)
    except OSError:
        return None
    return now.st_ino, now.st_size, now.st_mtime_ns, now.st_mode


def class_folders(files: Files) -> dict[str, dict[str, list[str]]]:
    """Return split -> class folder -> paths of its pictures, sorted.

    Raises:
        UserError: there is no picture, or pictures lie beside the class folders or deeper than them.
    """
    named = [p for p in files.paths if is_picture_name(p)]
    # Files of kinds that are not read are listed beside those that are, to be named; a stray one tells of no folders.
    paths = [p for p in named if p.lower().endswith(EXTENSIONS)] or named
    if not paths:
        raise UserError(Problem(f"holds no picture ({', '.join(EXTENSIONS)})", files.origin))
    parts = {path: _parts(path) for path in named}
    depth, shallowest = 0, min(len(parts[p]) for p in paths)
    while len({parts[p][depth] for p in paths}) == 1 and shallowest > depth + 2:
        depth += 1
    tops = {parts[p][depth] for p in paths}
    has_splits = tops <= SPLIT_FOLDERS.keys() and "train" in {SPLIT_FOLDERS[t] for t in tops} and shallowest > depth + 2
    class_depth = depth + 1 if has_splits else depth
    misplaced = [p for p in paths if len(parts[p]) != class_depth + 2]
    if misplaced:
        raise UserError(
            Problem(
                f"{len(misplaced)} pictures lie beside or below the class folders, such as '{misplaced[0]}'; "
                "each class is one folder, and its pictures lie in it",
                files.origin,
            )
        )
    result: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    above = parts[paths[0]][:depth]
    for path, own in parts.items():
        if len(own) == class_depth + 2 and own[:depth] == above:
            split = SPLIT_FOLDERS.get(own[depth]) if has_splits else "train"
            if split is not None:
                result[split][own[class_depth]].append(path)
    return {split: dict(members) for split, members in result.items()}


def _parts(path: str) -> list[str]:
    """Return what is between the slashes; PurePosixPath takes ten times as long."""
    return [part for part in path.split("/") if part not in ("", ".")]
