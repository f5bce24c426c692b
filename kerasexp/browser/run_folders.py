"""The directories of runs, studies and searches below a folder, and whether they have changed."""

from __future__ import annotations

import os
from collections.abc import Container, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from kerasexp.saving.saved_files import RunFiles

# What makes a directory one of a study or a search, in the order of precedence.
SUMMARIES = {"search": "search.json", "study": "study.json"}
# What an entry is read from: of a run, and beside it or a summary.
_RUN = RunFiles(Path())
MANIFEST, FILES = _RUN.manifest.name, tuple(path.name for path in (_RUN.metrics, _RUN.tags, _RUN.history))
# The own folders of a study and of a search, which hold no run. Variants of a study, and folders elsewhere, may be called so.
OWN_FOLDERS = {"study": {"plots"}, "search": {"plots", "tensorboard", "checkpoint", "wandb"}}
# Runs of a search's confirmation are 6 levels below the folder of all runs.
DEEPEST = 10


@dataclass(frozen=True)
class FoundFolder:
    """A directory of a run, a study or a search.

    Attributes:
        path: relative to the folder of all runs, with `/`.
        kind: run, trial, study or search.
        parent: the path of the study or the search that it belongs to; None for none.
        fingerprint: another one when a file has been written since.
        changed: when the manifest or summary was written last, in UTC, to the second.
    """

    path: str
    kind: str
    parent: str | None
    fingerprint: str
    changed: str


def find_folders(root: Path) -> Iterator[FoundFolder]:
    """Yield the directories of runs, studies and searches below a folder, and the folder itself if it is one.

    A run directory is not searched for others, nor are hidden folders. Links to folders are not followed.
    """
    yield from _below(str(root), ".", None, False, DEEPEST)


def _below(root: str, path: str, parent: str | None, in_search: bool, depth: int) -> Iterator[FoundFolder]:
    place = os.path.join(root, path)
    if (written := _stat(os.path.join(place, MANIFEST))) is not None:
        yield _found(place, path, "trial" if in_search else "run", parent, written)
        return
    own: set[str] = set()
    for kind, file in SUMMARIES.items():
        if (written := _stat(os.path.join(place, file))) is not None:
            yield _found(place, path, kind, parent, written)
            parent, in_search, own = path, kind == "search", OWN_FOLDERS[kind]
            break
    for name in _folders(place, own) if depth else ():
        below = name if path == "." else f"{path}/{name}"
        yield from _below(root, below, parent, in_search and name != "confirmation", depth - 1)


def _folders(place: str, left_out: Container[str]) -> list[str]:
    """Return the names of the folders in a folder, but some; none if it cannot be read or has just been deleted."""
    with suppress(OSError), os.scandir(place) as held:
        names = [each.name for each in held if each.is_dir(follow_symlinks=False)]
        return sorted(name for name in names if not name.startswith(".") and name not in left_out)
    return []


def fingerprint(*paths: str | Path) -> str:
    """Return a text that is another one when any of these files has been written, replaced or deleted since."""
    return _fingerprint(*map(_stat, paths))


def _found(place: str, path: str, kind: str, parent: str | None, written: os.stat_result) -> FoundFolder:
    others = (_stat(os.path.join(place, name)) for name in FILES)
    changed = datetime.fromtimestamp(written.st_mtime, UTC).isoformat(timespec="seconds")
    return FoundFolder(path, kind, parent, _fingerprint(written, *others), changed)


def _fingerprint(*files: os.stat_result | None) -> str:
    return " ".join("-" if file is None else f"{file.st_mtime_ns}.{file.st_ino}.{file.st_size}" for file in files)


def _stat(path: str | Path) -> os.stat_result | None:
    try:
        return os.stat(path)
    except OSError:
        return None
