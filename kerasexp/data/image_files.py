"""Sources of image files in any layout; a file is decoded when it is read."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from kerasexp.data.archive import Files
from kerasexp.data.image_decoding import decode_image
from kerasexp.data.source import Images, Source, assign_labels, resolve_classes

# Split -> stored label, such as a folder name -> paths of its images.
FileLists = dict[str, dict[str, list[str]]]


def source_from_files(origin: str, files: Files, listed: FileLists, class_names: dict[str, str] | None) -> Source:
    """Make a source of image files.

    Reading a file that was modified or removed after the listing raises ChangedImage.

    Args:
        origin: where the images come from, for messages.
        files: the folder or archive.
        listed: the image files of each split and stored label.
        class_names: stored label -> class, in the order of the classes; other labels are left out.

    Raises:
        UserError: see `resolve_classes`.
    """
    folders = resolve_classes([label for members in listed.values() for label in members], class_names)
    paths = {split: [p for label in folders for p in members.get(label, [])] for split, members in listed.items()}

    def read(path: str, min_side: int | None) -> np.ndarray:
        return decode_image(files.read(path), min_side)

    splits, names = {}, []
    for split, of_split in paths.items():
        stored = np.array([label for label in folders for _ in listed[split].get(label, [])])
        _, labels, names = assign_labels(stored, folders)
        splits[split] = Images(of_split, labels, _by_position(read, of_split), lambda: files.digest)
    return Source(origin, names, folders, splits)


def _by_position(read: Callable[[str, int | None], np.ndarray], paths: list[str]) -> Callable[..., np.ndarray]:
    return lambda position, min_side=None: read(paths[position], min_side)
