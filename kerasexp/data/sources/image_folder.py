"""Image files in one folder per class, in a folder or a zip archive."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
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
# A single image outside class folders, or up to this share of all images, is left out; more mean another layout.
MOST_STRAY = 0.1
STRAY = "in no class folder"


@dataclass(frozen=True)
class Layout:
    """Where the class folders are.

    Attributes:
        top: the folders above them, entered because nearly all images are below.
        has_splits: whether folders `train`, `val` and `test` are between.
        depth: number of folders above an image.
        used: the images in class folders.
    """

    top: tuple[str, ...]
    has_splits: bool
    depth: int
    used: list[str]

    def split(self, parts: list[str]) -> str | None:
        """Return the split of a path with these parts; None if it is in none."""
        return SPLIT_FOLDERS.get(parts[len(self.top)].lower()) if self.has_splits else "train"


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
    parts = {path: path_parts(path) for path in paths}
    layout = max(_layouts(parts), key=lambda layout: len(layout.used))
    used = set(layout.used)
    stray = [path for path in paths if path not in used]
    if not used or len(stray) > max(1, MOST_STRAY * len(paths)) or _loses_a_folder(layout, parts, stray):
        raise UserError(Problem(_misplaced(parts, stray), files.origin))
    return layout


def _layouts(parts: dict[str, list[str]]) -> Iterator[Layout]:
    """Yield the possible layouts below the folder, and below those in it that hold the most images."""
    top: tuple[str, ...] = ()
    within = list(parts)
    while True:
        level = len(top)
        splits = [
            path for path in within if len(parts[path]) == level + 3 and parts[path][level].lower() in SPLIT_FOLDERS
        ]
        if not any(SPLIT_FOLDERS[parts[path][level].lower()] == "train" for path in splits):
            splits = []
        yield Layout(top, False, level + 1, [path for path in within if len(parts[path]) == level + 2])
        yield Layout(top, True, level + 2, splits)
        below = Counter(parts[path][level] for path in within if len(parts[path]) > level + 2)
        if not below:
            return
        largest = max(below, key=lambda name: (below[name], name))
        top = (*top, largest)
        within = [path for path in within if parts[path][level] == largest and len(parts[path]) > level + 2]


def _loses_a_folder(layout: Layout, parts: dict[str, list[str]], stray: list[str]) -> bool:
    """Return whether all images of a split, or of a folder beside class folders, are outside class folders."""
    level = len(layout.top) + layout.has_splits
    for depth in range(len(layout.top) + 1, level + 2):
        holding = {tuple(parts[path][:depth]) for path in layout.used}
        within = (
            parts[path]
            for path in stray
            if len(parts[path]) > depth and tuple(parts[path][: len(layout.top)]) == layout.top
        )
        if any(layout.split(own) and tuple(own[:depth]) not in holding for own in within):
            return True
    return False


def _misplaced(parts: dict[str, list[str]], stray: list[str]) -> str:
    """Return the message about images that are not in class folders, with an example of each depth."""
    tops = sorted({own[-3] for own in parts.values() if len(own) > 2})
    splits = {SPLIT_FOLDERS.get(top.lower()) for top in tops}
    if len(tops) > 1 and splits <= {"val", "test"}:
        return f"has the folders {listing(tops)} but no train; rename one of them, or give the path of one"
    depths = Counter(len(own) - 1 for own in parts.values())
    example = {len(parts[path]) - 1: path for path in reversed(parts)}
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
    for path in found.paths:
        parts = path_parts(path)
        inside = len(parts) == layout.depth + 1 and tuple(parts[: len(layout.top)]) == layout.top
        split = layout.split(parts) if inside else None
        if split is None:
            stray.append(path)
        else:
            result[split][parts[layout.depth - 1]].append(path)
    return {split: dict(members) for split, members in result.items()}, stray


def _split_notes(layout: Layout) -> Iterator[str]:
    """Yield a sentence if the names of splits are not `train`, `val` and `test`."""
    if layout.has_splits:
        names = {path_parts(path)[len(layout.top)] for path in layout.used}
        pairs = sorted((SPLIT_FOLDERS[name.lower()], name) for name in names)
        if any(split != name for split, name in pairs):
            yield f"splits: {', '.join(f'folder {name} is {split}' for split, name in pairs)}"


def _empty_folders(files: Files, layout: Layout, listed: FileLists) -> Iterator[str]:
    """Yield the folders beside class folders that hold no image."""
    for folder in files.folders:
        parts = path_parts(folder)
        if len(parts) == layout.depth and tuple(parts[: len(layout.top)]) == layout.top:
            split = layout.split(parts)
            if split is not None and parts[-1] not in listed.get(split, {}):
                yield "/".join(parts[len(layout.top) :])


def path_parts(path: str) -> list[str]:
    """Return the components of a path; PurePosixPath takes ten times as long."""
    return [part for part in path.split("/") if part not in ("", ".")]
