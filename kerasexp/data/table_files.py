"""The files of a table of images: below its own folder, or in another folder or archive."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path

from kerasexp.config.yaml_paths import find_file, places
from kerasexp.data.digest_cache import DigestCache, file_state
from kerasexp.data.file_matching import FileMatching, match_files, slashed
from kerasexp.data.folder_listing import Listing, entries, is_hidden_name, list_around, list_folder
from kerasexp.data.image_archive import CHANGED, Files, open_files, open_listed
from kerasexp.data.image_headers import START_BYTES
from kerasexp.data.source import BrokenImage, ChangedImage, MissingData
from kerasexp.errors import Problem, UserError, listing
from kerasexp.storage import digest_of_file

KEY = "data.images"


def find_table_files(table: Path, images: str | None, texts: list[str]) -> tuple[Files, FileMatching]:
    """Return the files of a table's images, and which of them its paths mean.

    Args:
        table: the table.
        images: the key `data.images`; None if the paths are absolute or start at the folder of the table.
        texts: the paths in the table.

    Raises:
        MissingData: `images` is not there.
        UserError: `images` is neither a folder nor an archive, or the files are on several drives.
    """
    if images is None:
        return _files_at_paths(table, texts)
    place = find_file(images, table.parent)
    if place is None:
        raise MissingData(f"'{images}' is not at {listing(places(images, table.parent))}", KEY)
    files = _without_table(place, list_folder(place), table) if place.is_dir() else open_files(place)
    root = _posix(os.path.abspath(place))
    return files, match_files(texts, files.paths, root, root)


def files_in_table(table: Path, names: list[str], contents: Callable[[int], bytes | None]) -> Files:
    """Return the images that a table itself holds.

    Args:
        table: the table.
        names: of the images, one per row.
        contents: row -> content of its image.
    """
    opened = file_state(table)
    known = DigestCache(str(table), {"": opened})
    positions = {name: position for position, name in enumerate(names)}

    def read(name: str) -> bytes:
        content = contents(positions[name])
        # The digest is that of the file.
        if file_state(table) != opened:
            raise ChangedImage(CHANGED)
        if not content:
            raise BrokenImage("has no content")
        return content

    @cache
    def whole() -> str:
        return known.get_or_compute([""], lambda: (digest_of_file(table), True))

    def head(name: str) -> bytes:
        return (contents(positions[name]) or b"")[:START_BYTES]

    return Files(str(table), sorted(names), [], [], [], read, head, lambda names: whole())


def _files_at_paths(table: Path, texts: list[str]) -> tuple[Files, FileMatching]:
    """Return the files at the paths themselves, and the others beside them."""
    base = os.path.abspath(table.parent)
    there = {path for text in set(texts) if (path := _existing(base, text)) is not None}
    try:
        root = Path(os.path.commonpath([os.path.dirname(path) for path in there] or [base]))
    except ValueError:
        raise UserError(Problem("names files on several drives; put them on one", str(table))) from None
    named = [_posix(os.path.relpath(path, root)) for path in there]
    files = _without_table(root, list_around(root, named), table)
    return files, match_files(texts, files.paths, _posix(str(root)), _posix(base))


def _existing(base: str, text: str) -> str | None:
    """Return the absolute path of the file that a path in a table means; None if there is no such file."""
    for spelled in dict.fromkeys((text, slashed(text))):
        path = os.path.normpath(os.path.join(base, spelled))
        if "\0" not in path and os.path.isfile(path):
            return path
    return None


def _without_table(folder: Path, listed: Listing, table: Path) -> Files:
    """Return the files of a folder but for the table itself, so that the account of the others does not name it."""
    own = _posix(os.path.relpath(os.path.abspath(table), os.path.abspath(folder)))
    files = {path: state for path, state in listed.files.items() if path != own}
    return open_listed(folder, replace(listed, files=files))


def _posix(path: str) -> str:
    return path.replace(os.sep, "/")


def place_of_images(table: Path, texts: list[str]) -> tuple[Path | None, int]:
    """Return the folder or zip archive that has the most of a table's files, and how many it has.

    The folders and archives beside the table are searched, and then all that is below its folder.

    Args:
        table: the table.
        texts: the paths in it.
    """
    best, most = None, 0
    for place in (*_places_beside(table), table.parent):
        if most == len(set(texts)):
            break
        try:
            count = len(find_table_files(table, str(place.absolute()), texts)[1].found)
        except UserError:
            continue
        if count > most:
            best, most = place, count
    return best, most


def _places_beside(table: Path) -> Iterator[Path]:
    for place in entries(table.absolute().parent):
        if not is_hidden_name(place.name) and (place.is_dir() or place.suffix.lower() == ".zip"):
            yield place
