"""Image files in one folder per class, in a folder or a zip archive."""

from __future__ import annotations

from collections import defaultdict

from kerasexp.config.data import DataSource
from kerasexp.data.archive import Files, open_files
from kerasexp.data.dataset_lookup import find_data_path
from kerasexp.data.image_decoding import EXTENSIONS, is_image_name
from kerasexp.data.image_files import source_from_files
from kerasexp.data.source import Source
from kerasexp.errors import Problem, UserError

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
    """List the images of a folder or zip archive; an image is decoded when it is read.

    A single top folder is entered. Folders `train`, `val` and `test` side by side are the splits.

    Raises:
        MissingData: there is no such folder or archive.
        UserError: there are fewer than two class folders with images.
    """
    files = open_files(find_data_path(data.path))
    return source_from_files(f"images in {files.name}", files, class_folders(files), data.class_names, data.range)


def class_folders(files: Files) -> dict[str, dict[str, list[str]]]:
    """Return split -> class folder -> sorted paths of its images.

    Raises:
        UserError: there is no image, or images lie beside the class folders or deeper than them.
    """
    named = [p for p in files.paths if is_image_name(p)]
    # Images in unsupported formats are listed, so that they are reported, but only supported ones determine the layout.
    paths = [p for p in named if p.lower().endswith(EXTENSIONS)] or named
    if not paths:
        raise UserError(Problem(f"has no image ({', '.join(EXTENSIONS)})", files.origin))
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
                f"{len(misplaced)} images are not directly in a class folder, such as '{misplaced[0]}'; "
                "put the images of each class into one folder",
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
    """Return the components of a path; PurePosixPath takes ten times as long."""
    return [part for part in path.split("/") if part not in ("", ".")]
