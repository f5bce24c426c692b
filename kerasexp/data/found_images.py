"""The images among the files of a folder or archive, and an account of the files that are not used."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from functools import cached_property

from kerasexp.config.section_base import composed
from kerasexp.data.decoding_threads import map_threads
from kerasexp.data.file_accounting import OTHER_TYPES, Accounting, Rows, counted, extension, types
from kerasexp.data.image_archive import Files
from kerasexp.data.image_formats import EXTENSIONS, is_image_name
from kerasexp.data.image_headers import is_image_start
from kerasexp.errors import listing

# Split -> stored label, such as a folder name -> paths of its images.
FileLists = dict[str, dict[str, list[str]]]
NOT_NAMED = "of {}s that data.class_names does not name"
NOT_USED = "that are images in no split"


@dataclass(frozen=True)
class FoundImages:
    """The files of a folder or archive by type.

    Attributes:
        paths: sorted paths of the images, by their extension or, without one, by their content.
        by_content: those without an extension.
        others: paths of the files that are not images.
    """

    paths: list[str]
    by_content: list[str]
    others: list[str]

    @cached_property
    def supported(self) -> list[str]:
        """The images in formats that can be read."""
        unnamed = set(self.by_content)
        return [path for path in self.paths if path.lower().endswith(EXTENSIONS) or path in unnamed]

    @property
    def types_text(self) -> str:
        """The types of the files that are not images, for messages."""
        return f"{counted(len(self.others), 'file')} of other types: {types(self.others)}"


@dataclass(frozen=True)
class UnlistedFiles:
    """What a source reports of its files besides the images that it lists.

    Attributes:
        found: its files by type; None if the names of the files give the types.
        left_out: reason -> images that are not listed.
        empty: class folders without images.
        notes: sentences about how the files are used.
        noun: what a stored label is, for messages.
        rows: what became of the rows of the table that lists the files.
    """

    found: FoundImages | None = None
    left_out: dict[str, list[str]] = field(default_factory=dict)
    empty: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    noun: str = "folder"
    rows: Rows | None = None


def find_images(files: Files) -> FoundImages:
    """Return the images of a folder or archive. Files without an extension, or with a number for one, are opened."""
    others = [path for path in files.paths if not is_image_name(path)]
    unnamed = [path for path in others if _tells_no_type(extension(path))]
    heads = map_threads(files.head, unnamed)
    by_content = [path for path, start in zip(unnamed, heads, strict=True) if is_image_start(start)]
    known = set(by_content)
    others = [path for path in others if path not in known]
    left_out = set(others)
    return FoundImages([path for path in files.paths if path not in left_out], by_content, others)


def _tells_no_type(extension: str) -> bool:
    return not extension.lstrip(".") or extension[1:].isdecimal()


def account_for(files: Files, listed: FileLists, folders: dict[str, str], unlisted: UnlistedFiles) -> Accounting:
    """Return what became of the files: `folders` are the labels that have a class, of those that are listed."""
    found = unlisted.found
    if found is None:
        named = [path for path in files.paths if is_image_name(path)]
        found = FoundImages(named, [], [path for path in files.paths if not is_image_name(path)])
    groups = {reason: list(paths) for reason, paths in unlisted.left_out.items()}
    groups[NOT_NAMED.format(unlisted.noun)] = [
        p for members in listed.values() for label, own in members.items() if label not in folders for p in own
    ]
    used = {path for members in listed.values() for label in folders for path in members.get(label, [])}
    known = used.union(*groups.values())
    groups[NOT_USED] = [path for path in found.paths if path not in known]
    groups[OTHER_TYPES] = [path for path in found.others if path not in known]
    notes = [*unlisted.notes, *files.notes]
    if found.by_content:
        count = counted(len(found.by_content), "file")
        notes.append(
            f"{count} without an image extension found to be images by their content: {listing(found.by_content, 3)}"
        )
    same: dict[str, list[str]] = defaultdict(list)
    for label in folders:
        same[composed(label)].append(label)
    notes += [
        f"{len(labels)} {unlisted.noun}s are one class; their names differ only in how accents are stored: {name}"
        for name, labels in same.items()
        if len(labels) > 1
    ]
    used = used.intersection(files.paths)
    left_out = {reason: paths for reason, paths in groups.items() if paths}
    return Accounting(len(used), left_out, files.hidden, unlisted.empty, notes, unlisted.rows)
