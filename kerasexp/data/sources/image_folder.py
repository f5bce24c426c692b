"""Image files in one folder per class, in a folder or a zip archive."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from kerasexp.config.data_section import DataSource
from kerasexp.data.dataset_lookup import find_data_path
from kerasexp.data.file_accounting import counted
from kerasexp.data.found_images import FileLists, FoundImages, UnlistedFiles, find_images
from kerasexp.data.image_archive import Files, open_files
from kerasexp.data.image_files import source_from_files
from kerasexp.data.image_formats import EXTENSIONS
from kerasexp.data.source import Source
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
SPLITS = ("train", "val", "test")
# A single image outside class folders, or up to this share of all images, is left out; more mean another layout.
MOST_STRAY = 0.1
STRAY = "in no class folder"
# The components of the path of a folder.
Parts = tuple[str, ...]


@dataclass(frozen=True)
class Layout:
    """Where the class folders are.

    Attributes:
        top: the folders above them, entered because nearly all images are below.
        has_splits: whether folders `train`, `val` and `test` are between.
        depth: number of folders above an image.
        used: the class folders that hold images.
    """

    top: Parts
    has_splits: bool
    depth: int
    used: list[Parts]

    def split(self, parts: Parts) -> str | None:
        """Return the split of a folder; None if it is in none."""
        return SPLIT_FOLDERS.get(parts[len(self.top)].lower()) if self.has_splits else "train"

    def split_of_class(self, parts: Parts) -> str | None:
        """Return the split of a class folder; None if the folder is none, or in no split."""
        return self.split(parts) if len(parts) == self.depth and parts[: len(self.top)] == self.top else None


def load_image_folder(data: DataSource) -> Source:
    """List the images of a folder or zip archive; an image is decoded when it is read.

    A single top folder is entered. Folders `train`, `val` and `test` side by side, in capitals or not, are the splits.

    Raises:
        MissingData: there is no such folder or archive.
        UserError: there is no class folder with images, or many images are outside class folders.
    """
    files = open_files(find_data_path(data.path))
    found = find_images(files)
    layout = find_layout(files, found)
    listed, stray = class_folders(found, layout)
    empty, notes = list(_empty_folders(files, layout, listed)), list(_split_notes(layout))
    unlisted = UnlistedFiles(found, {STRAY: stray}, empty, notes)
    return source_from_files(f"images in {files.name}", files, listed, data.class_names, data.range, unlisted)


def find_layout(files: Files, found: FoundImages) -> Layout:
    """Return the layout that most images have.

    Raises:
        UserError: there is no image, too many are outside class folders, or the layout would drop a whole folder of images.
    """
    # Images in unsupported formats are listed, so that they are reported, but only supported ones determine the layout.
    paths = found.supported or found.paths
    if not paths:
        others = f"; it has {found.types_text}" if found.others else ""
        raise UserError(Problem(f"has no image ({', '.join(EXTENSIONS)}){others}", files.origin))
    folders = _by_folder(paths)
    layout = max(_layouts(folders), key=lambda layout: sum(len(folders[parts]) for parts in layout.used))
    stray = {parts: own for parts, own in folders.items() if parts not in layout.used}
    most = max(1, MOST_STRAY * len(paths))
    if not layout.used or sum(map(len, stray.values())) > most or _loses_a_folder(layout, stray):
        raise UserError(Problem(_misplaced(folders, [path for own in stray.values() for path in own]), files.origin))
    return layout


def _by_folder(paths: list[str]) -> dict[Parts, list[str]]:
    """Return the paths of each folder. There are few folders: what is asked of a folder is not asked of each of its files."""
    folders: dict[str, list[str]] = defaultdict(list)
    for path in paths:
        folders[path[: path.rfind("/") + 1]].append(path)
    same: dict[Parts, list[str]] = defaultdict(list)
    for folder, own in folders.items():
        same[path_parts(folder)] += own
    return same


def _layouts(folders: dict[Parts, list[str]]) -> Iterator[Layout]:
    """Yield the possible layouts below the folder, and below those in it that hold the most images."""
    top: Parts = ()
    within = list(folders)
    while True:
        level = len(top)
        splits = [parts for parts in within if len(parts) == level + 2 and parts[level].lower() in SPLIT_FOLDERS]
        if not any(SPLIT_FOLDERS[parts[level].lower()] == "train" for parts in splits):
            splits = []
        yield Layout(top, False, level + 1, [parts for parts in within if len(parts) == level + 1])
        yield Layout(top, True, level + 2, splits)
        within = [parts for parts in within if len(parts) > level + 1]
        if not within:
            return
        below: Counter[str] = Counter()
        for parts in within:
            below[parts[level]] += len(folders[parts])
        largest = max(below, key=lambda name: (below[name], name))
        top = (*top, largest)
        within = [parts for parts in within if parts[level] == largest]


def _loses_a_folder(layout: Layout, stray: Iterable[Parts]) -> bool:
    """Return whether all images of a split, or of a folder beside class folders, are outside class folders."""
    level = len(layout.top) + layout.has_splits
    for depth in range(len(layout.top) + 1, level + 2):
        holding = {parts[:depth] for parts in layout.used}
        within = (parts for parts in stray if len(parts) >= depth and parts[: len(layout.top)] == layout.top)
        if any(layout.split(parts) and parts[:depth] not in holding for parts in within):
            return True
    return False


def _misplaced(folders: dict[Parts, list[str]], stray: list[str]) -> str:
    """Return the message about images that are not in class folders, with an example of each depth."""
    tops = sorted({parts[-2] for parts in folders if len(parts) > 1})
    splits = {SPLIT_FOLDERS.get(top.lower()) for top in tops}
    if len(tops) > 1 and splits <= {"val", "test"}:
        return f"has the folders {listing(tops)} but no train; rename one of them, or give the path of one"
    depths: Counter[int] = Counter()
    for parts, own in folders.items():
        depths[len(parts)] += len(own)
    example = {len(parts): own[0] for parts, own in reversed(folders.items())}
    kinds = "; ".join(
        f"{number:,} below {counted(depth, 'folder')} ({example[depth]})" for depth, number in depths.items()
    )
    return (
        f"{counted(len(stray), 'image')} {'is' if len(stray) == 1 else 'are'} not directly in a class folder, such as "
        f"{stray[0]!r}; put the images of each class into one folder"
        + (f". There are {kinds}" if len(depths) > 1 else "")
    )


def class_folders(found: FoundImages, layout: Layout) -> tuple[FileLists, list[str]]:
    """Return split -> class folder -> sorted paths of its images, and the images that are in no class folder."""
    result: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    stray = []
    for parts, paths in _by_folder(found.paths).items():
        split = layout.split_of_class(parts)
        if split is None:
            stray += paths
        else:
            result[split][parts[-1]] += paths
    return {split: dict(members) for split, members in result.items()}, sorted(stray)


def _split_notes(layout: Layout) -> Iterator[str]:
    """Yield a sentence if the names of splits are not `train`, `val` and `test`."""
    if layout.has_splits:
        names = {parts[len(layout.top)] for parts in layout.used}
        pairs = sorted((SPLIT_FOLDERS[name.lower()], name) for name in names)
        if any(split != name for split, name in pairs):
            yield f"splits: {', '.join(f'folder {name} is {split}' for split, name in pairs)}"


def _empty_folders(files: Files, layout: Layout, listed: FileLists) -> Iterator[str]:
    """Yield the folders beside class folders that hold no image."""
    for folder in files.folders:
        parts = path_parts(folder)
        split = layout.split_of_class(parts)
        if split is not None and parts[-1] not in listed.get(split, {}):
            yield "/".join(parts[len(layout.top) :])


def path_parts(path: str) -> Parts:
    """Return the components of a path; PurePosixPath takes ten times as long."""
    return tuple(part for part in path.split("/") if part not in ("", "."))
