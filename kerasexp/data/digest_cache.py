"""The user's cache: where it is, and the digests of files that have been read before."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from kerasexp.environment import cache_folder
from kerasexp.errors import RunError
from kerasexp.storage import write_json

# What a file is known by without reading it: device, inode, size, times of its content and of its entry, and mode.
FileState = tuple[int, ...]
# Nanoseconds. Clocks of file systems tick every few milliseconds, every two seconds at worst: a file that is younger than
# that could be written again and look the same.
SETTLED = 2 * 10**9
ENTRY_TIME, MODE = 4, 5


def file_state(file: Path | str) -> FileState | None:
    """Return what is no longer the same when a file has been written or replaced; None where there is none."""
    try:
        return state_from_stat(os.stat(file))
    except OSError:
        return None


def state_from_stat(found: os.stat_result) -> FileState:
    """Return the state of a file that was looked at."""
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_mode


class DigestCache:
    """The digest of files as it was found before, as long as all of them are in the state in which they were then.

    As git does with its index, files are trusted by their state and not read again. The time of a file's entry is part of
    it, which moves whenever the file is written and, other than the time of its content, cannot be set. (Windows has none:
    there a file that is written over with one of the same size and date is taken for the same.)

    Args:
        origin: the folder or archive.
        states: each file's name and state, in a fixed order; None for what is no file. Taken before anything is read.
    """

    def __init__(self, origin: str, states: Sequence[tuple[str, FileState | None]]):
        name = hashlib.sha256(os.path.abspath(origin).encode("utf-8", "surrogateescape")).hexdigest()[:32]
        self._file = cache_folder() / "digests" / f"{name}.json"
        self._states = hashlib.sha256(repr(states).encode("utf-8", "surrogateescape")).hexdigest()
        youngest = max((state[ENTRY_TIME] for _, state in states if state is not None), default=0)
        self._settled = youngest < time.time_ns() - SETTLED

    def get_or_compute(self, digest: Callable[[], tuple[str, bool]]) -> str:
        """Return the digest where it is known, or else what `digest` gives, with whether that may be kept for the next time."""
        found = self.get()
        if found is None:
            found, may_be_kept = digest()
            if may_be_kept and self._settled:
                self._save(found)
        return found

    def get(self) -> str | None:
        """Return the digest, or None where it is not known."""
        with suppress(OSError, ValueError, TypeError, KeyError):
            known = json.loads(self._file.read_text(encoding="utf-8"))
            if known["states"] == self._states and isinstance(known["digest"], str):
                return known["digest"]
        return None

    def _save(self, digest: str) -> None:
        with suppress(OSError, RunError):  # a cache that cannot be written costs the next run its time
            self._file.parent.mkdir(parents=True, exist_ok=True)
            write_json(self._file, {"states": self._states, "digest": digest})
