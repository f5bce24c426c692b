"""Disk space that finished runs no longer need: the states that continue a training, and the cache of decoded images."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from kerasexp.browser.filter_expression import Value
from kerasexp.browser.run_index import status_of
from kerasexp.browser.run_query import Row
from kerasexp.environment import cache_folder
from kerasexp.errors import DirectoryInUse, RunError
from kerasexp.runs.directory import RunDirectory

# Folders of the cache that are made again when they are needed, and what they hold.
CACHES = {
    "images": "decoded images",
    "features": "features of classical heads",
    "graphs": "networks for LiteRT",
    "unpacked": "unpacked archives",
}


@dataclass(frozen=True)
class FreeableFolder:
    """A folder that can be deleted.

    Attributes:
        path: of the folder.
        what: it holds.
        bytes: its size.
        run: the finished run that it belongs to; None for a cache.
    """

    path: Path
    what: str
    bytes: int
    run: Path | None = None


def freeable_states(root: Path, rows: list[Row]) -> Iterator[FreeableFolder]:
    """Yield the training states of the finished runs among these rows, but of searches only once they have finished.

    A search with Hyperband continues its trials from their states.
    """
    status_above = cache(status_of)
    for row in rows:
        above = row.get("of")
        is_over = row.get("status") == "finished" and (above is None or status_above(root / str(above)) == "finished")
        if row.get("kind") in ("run", "trial") and is_over:
            run = RunDirectory(root / str(row["path"]))
            if run.state.is_dir() and (size := size_of(run.state)):
                yield FreeableFolder(run.state, "training state", size, run.path)


def freeable_caches() -> Iterator[FreeableFolder]:
    """Yield the folders of the cache that are made again when they are needed."""
    for name, what in CACHES.items():
        folder = cache_folder() / name
        if folder.is_dir() and (size := size_of(folder)):
            yield FreeableFolder(folder, what, size)


def size_of(folder: Path) -> int:
    """Return the size of all files in a folder, in bytes."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):  # a file that has just been deleted
                total += os.lstat(os.path.join(place, name)).st_size
    return total


def free(folder: FreeableFolder) -> str | None:
    """Delete a folder; return why it was kept, or None.

    The folder of a run is deleted while this process holds the run's lock, and only if the run is still finished.
    """
    if folder.run is None:
        return _delete(folder.path)
    run = RunDirectory(folder.run)
    try:
        with run.locked():
            if run.read_manifest().get("status") != "finished":
                return "is no longer finished"
            return _delete(folder.path)
    except DirectoryInUse:
        return "a process is writing to the run"
    except RunError as error:
        return str(error)


def _delete(folder: Path) -> str | None:
    try:
        shutil.rmtree(folder)
    except OSError as error:
        return error.strerror or str(error)
    return None


def bytes_text(size: Value) -> str:
    """Return a size for readers, such as `1.5 GiB`."""
    number = float(size or 0)
    for unit in ("bytes", "KiB", "MiB"):
        if number < 1024:
            return f"{number:.0f} {unit}" if unit == "bytes" else f"{number:.1f} {unit}"
        number /= 1024
    return f"{number:.1f} GiB"
