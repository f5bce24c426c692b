"""The files below a folder. Links to folders are followed, except those that lead in a circle."""

from __future__ import annotations

import os
import stat
from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from kerasexp.data.digest_cache import MODE, FileState, file_state
from kerasexp.errors import Problem, UserError, listing

# Most names under which a folder is listed: folders full of links to each other would never end.
MOST_NAMES = 8


@dataclass(frozen=True)
class Listing:
    """What is below a folder, all paths in it sorted.

    Attributes:
        files: path and state of each visible entry that is not a folder; an entry that is not a regular file (a dangling
            link, a pipe) is one of them, so that reading it reports its name.
        folders: the visible folders.
        hidden: the files that are hidden, in a hidden folder, or added by macOS.
        notes: sentences about links: one folder under several names, links that are not followed.
    """

    files: dict[str, FileState | None]
    folders: list[str]
    hidden: list[str]
    notes: list[str]


def list_folder(folder: Path) -> Listing:
    """List a folder and its subfolders. A folder that several links lead to is listed under each name.

    Raises:
        UserError: a folder cannot be listed.
    """
    root, files, hidden, circular, crowded = f"{folder}/", {}, [], [], []
    names_of: dict[tuple[int, int], list[str]] = defaultdict(list)
    waiting: list[tuple[str, frozenset]] = [("", frozenset())]
    while waiting:
        within, above = waiting.pop()
        try:
            found = os.stat(root + within)
            entries = sorted(os.listdir(root + within))
        except OSError as error:
            raise UserError(Problem(f"the folder cannot be listed: {error.strerror}", str(folder / within))) from None
        identity = found.st_dev, found.st_ino
        if identity in above or len(names_of[identity]) == MOST_NAMES:
            (circular if identity in above else crowded).append(within.rstrip("/"))
            continue
        names_of[identity].append(within.rstrip("/"))
        for name in entries:
            path = within + name
            if is_hidden_name(name):
                hidden += _files_below(folder, path)
                continue
            state = file_state(root + path)
            if state is not None and stat.S_ISDIR(state[MODE]):
                waiting.append((f"{path}/", above | {identity}))
            else:
                files[path] = state
    folders = sorted(name for names in names_of.values() for name in names if name)
    notes = list(_notes(folder, names_of, circular, crowded))
    return Listing(_sorted(files), folders, sorted(hidden), notes)


def list_around(folder: Path, named: Collection[str]) -> Listing:
    """List files at given paths below a folder, and the other files directly beside each of them.

    Raises:
        UserError: a folder cannot be listed.
    """
    files, hidden, names = {}, [], set(named)
    for within in sorted({path[: path.rfind("/") + 1] for path in named}):
        try:
            entries = os.listdir(folder / within)
        except OSError as error:
            raise UserError(Problem(f"the folder cannot be listed: {error.strerror}", str(folder / within))) from None
        for path in (within + name for name in entries):
            state = file_state(f"{folder}/{path}")
            if state is None or not stat.S_ISDIR(state[MODE]):
                if path not in names and is_hidden_name(path[len(within) :]):
                    hidden.append(path)
                else:
                    files[path] = state
    return Listing(_sorted(files), [], sorted(hidden), [])


def entries(folder: Path) -> list[Path]:
    """Return what is in a folder, sorted; nothing if it cannot be listed, as the folder above one's own may be."""
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


def _sorted(files: dict[str, FileState | None]) -> dict[str, FileState | None]:
    return {path: files[path] for path in sorted(files)}


def _files_below(folder: Path, path: str) -> Iterator[str]:
    """Yield a hidden file, or the files in a hidden folder."""
    if not os.path.isdir(folder / path) or os.path.islink(folder / path):
        yield path
    for place, _, names in os.walk(folder / path):
        yield from (os.path.relpath(os.path.join(place, name), folder).replace(os.sep, "/") for name in names)


def _notes(folder: Path, names_of: dict, circular: list[str], crowded: list[str]) -> Iterator[str]:
    for names in names_of.values():
        if len(names) > 1 and any(os.path.islink(folder / name) for name in names):
            yield f"one folder is used under {len(names)} names: {listing(sorted(names))}"
    if circular:
        yield f"not used: links that lead in a circle ({len(circular)}): {listing(sorted(circular), 3)}"
    if crowded:
        yield (
            f"not used: links to a folder that is used under {MOST_NAMES} names already ({len(crowded)}): "
            f"{listing(sorted(crowded), 3)}"
        )


def is_hidden_name(name: str) -> bool:
    """Return whether a file or folder is hidden, or one that macOS adds: `__MACOSX`, and `Icon\\r` for a folder's icon."""
    return name.startswith(".") or name in ("__MACOSX", "Icon\r")
