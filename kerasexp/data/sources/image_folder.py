"""Picture files in one folder per class; the folder may be a zip archive."""

from __future__ import annotations

from collections import defaultdict
from pathlib import PurePosixPath

import numpy as np

from kerasexp.config.data import DataSource
from kerasexp.config.files import find_file, places
from kerasexp.data.archive import Files, open_files
from kerasexp.data.decoding import EXTENSIONS, decode
from kerasexp.data.pictures import MissingData, Pictures, Source, labelled, name_classes
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

    A lone top folder is stepped into. Folders `train`, `val` and `test` side by side are taken as the splits.

    Raises:
        MissingData: there is no such folder or archive.
        UserError: there are no class folders with pictures, or fewer than two.
    """
    found = find_file(data.path)
    if found is None:
        raise MissingData(f"'{data.path}' is not at {listing(places(data.path))}")
    files = open_files(found)
    by_split = class_folders(files)
    folders = name_classes([folder for members in by_split.values() for folder in members], data.class_names)
    splits, names = {}, []
    for split, members in by_split.items():
        paths = [path for folder in folders for path in members.get(folder, [])]
        stored = np.array([PurePosixPath(path).parent.name for path in paths])
        _, labels, names = labelled(stored, folders)
        splits[split] = Pictures(paths, labels, _reader(files, paths), files.digest)
    return Source(f"pictures in {found.name}", names, folders, splits)


def _reader(files: Files, paths: list[str]):
    return lambda position: decode(files.read(paths[position]))


def class_folders(files: Files) -> dict[str, dict[str, list[str]]]:
    """Return split -> class folder -> paths of its pictures, sorted.

    Raises:
        UserError: there is no picture, or pictures lie beside the class folders or deeper than them.
    """
    paths = [p for p in files.paths if p.lower().endswith(EXTENSIONS)]
    if not paths:
        raise UserError(Problem(f"holds no picture ({', '.join(EXTENSIONS)})", files.origin))
    depth = 0
    while len({_top(p, depth) for p in paths}) == 1 and all(len(PurePosixPath(p).parts) > depth + 2 for p in paths):
        depth += 1
    tops = {_top(p, depth) for p in paths}
    has_splits = (
        tops <= SPLIT_FOLDERS.keys()
        and "train" in {SPLIT_FOLDERS[t] for t in tops}
        and all(len(PurePosixPath(p).parts) > depth + 2 for p in paths)
    )
    class_depth = depth + 1 if has_splits else depth
    misplaced = [p for p in paths if len(PurePosixPath(p).parts) != class_depth + 2]
    if misplaced:
        raise UserError(
            Problem(
                f"{len(misplaced)} pictures lie beside or below the class folders, such as '{misplaced[0]}'; "
                "each class is one folder, and its pictures lie in it",
                files.origin,
            )
        )
    result: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for path in paths:
        split = SPLIT_FOLDERS[_top(path, depth)] if has_splits else "train"
        result[split][_top(path, class_depth)].append(path)
    return {split: dict(members) for split, members in result.items()}


def _top(path: str, depth: int) -> str:
    return PurePosixPath(path).parts[depth]
