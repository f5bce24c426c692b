"""Folders of images for tests: written as a folder or a zip archive, or drawn by hypothesis."""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from hypothesis import strategies as st
from PIL import Image

from kerasexp.config.data_section import DataSource
from kerasexp.data.source import Source
from kerasexp.data.sources.image_folder import load_image_folder

SIDE = 6


def image_file(seed: int, kind: str = "PNG", side: int = SIDE) -> bytes:
    """An image file of random grey values."""
    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (side, side), np.uint8)).save(file, kind)
    return file.getvalue()


def images(*folders: str, each: int = 4, end: str = ".png", kind: str = "PNG", seed: int = 0) -> dict[str, bytes]:
    """Files with as many images in each folder, no two the same."""
    paths = [f"{folder}/{number}{end}".lstrip("/") for folder in folders for number in range(each)]
    return {path: image_file(seed * 1000 + number, kind) for number, path in enumerate(paths)}


def write_folder(folder: Path, content: Mapping[str, bytes | None]) -> Path:
    """Write files in the order of the mapping; None for an empty folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for path, data in content.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        if data is None:
            (folder / path).mkdir(exist_ok=True)
        else:
            (folder / path).write_bytes(data)
    return folder


def write_zip(file: Path, content: Mapping[str, bytes | None]) -> Path:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, data in content.items():
            archive.writestr(*((f"{path}/", b"") if data is None else (path, data)))
    return file


def files_below(folder: Path) -> list[str]:
    """Paths of all files below a folder, without following links."""
    found = (os.path.join(place, name) for place, _, names in os.walk(folder) for name in names)
    return sorted(os.path.relpath(path, folder).replace(os.sep, "/") for path in found)


GOOD_NAMES = ("cat", "dog", "1", "01", "5²", "①", "café", "Cat", "é ü", "no", "~")
ODD_NAMES = ("cafe\u0301", "a\nb", "train", "Train", "TEST", "val", ".git", "__MACOSX", "deep", "empty")
FOLDERS = st.lists(st.sampled_from(GOOD_NAMES + ODD_NAMES), max_size=3)
NAMES = st.builds(
    "{}{}".format,
    st.sampled_from(("1", "2", "3", "Img", ".hidden", "Thumbs", "x y")),
    st.sampled_from((".png", ".PNG", ".bmp", ".ppm", ".tif", ".txt", "", ".001", ".db", ".jpg")),
)
CONTENTS = st.sampled_from(
    (b"", b"text", b"P5 2 2 255 abcd", b"BM is text", *(image_file(n) for n in range(6)), image_file(7, "BMP"))
)
LAYOUTS = st.sampled_from(([""], [""], ["train/", "test/"], ["Train/", "val/", "TEST/"], ["top/"], ["a/b/"]))


@st.composite
def trees(draw: st.DrawFn) -> dict[str, bytes | None]:
    """A folder as people leave it: mostly class folders with images, and anything else anywhere."""
    content: dict[str, bytes | None] = {}
    if draw(st.integers(0, 7)) < 7:
        layout = draw(LAYOUTS)
        classes = draw(st.lists(st.sampled_from(GOOD_NAMES), min_size=2, max_size=4, unique=True))
        classes += draw(st.sampled_from(([], [], [], [], *([name] for name in ODD_NAMES))))
        each = draw(st.sampled_from((12, 12, 12, 3, 1)))
        for number, folder in enumerate(f"{split}{name}" for split in layout for name in classes):
            content |= images(folder, each=each, seed=number)
    few = draw(st.sampled_from((0, 0, 1, 2, 5)))
    for folders, name, data in draw(st.lists(st.tuples(FOLDERS, NAMES, CONTENTS), max_size=few)):
        content["/".join([*folders, name])] = data
    for folders in draw(st.lists(FOLDERS.filter(bool), max_size=few)):
        content["/".join(folders)] = None
    return _without_clashes(content)


def _without_clashes(content: dict[str, bytes | None]) -> dict[str, bytes | None]:
    """Leave out files that lie where others need a folder."""
    above = {path[:at] for path in content for at, character in enumerate(path) if character == "/"}
    return {path: data for path, data in content.items() if path not in above}


def load(path: Path, **keys) -> Source:
    """Load a folder or an archive with these keys of the source."""
    return load_image_folder(DataSource(source="image_folder", path=str(path), **keys))


def lines(path: Path, **keys) -> list[str]:
    """Return the lines that account for its files."""
    return list(load(path, **keys).accounting.lines())
