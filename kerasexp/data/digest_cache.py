"""Digests of files, cached for as long as the files do not change."""

from __future__ import annotations

import hashlib
import json
import marshal
import os
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from operator import attrgetter
from pathlib import Path

from kerasexp.environment import cache_folder
from kerasexp.errors import RunError
from kerasexp.storage import write_json

# What identifies a version of a file without reading it: device, inode, size, mtime, ctime, mode.
FileState = tuple[int, ...]
# Nanoseconds. Timestamps of file systems have a resolution of a few milliseconds, at worst 2 s: a younger file could be
# written again without a change in its state.
SETTLED = 2 * 10**9
CTIME, MODE = 4, 5
# Returns the state of a file from its `stat` result.
state_from_stat: Callable[[os.stat_result], FileState] = attrgetter(
    "st_dev", "st_ino", "st_size", "st_mtime_ns", "st_ctime_ns", "st_mode"
)


def file_state(file: Path | str) -> FileState | None:
    """Return a state that changes when the file is written or replaced; None if there is no file."""
    try:
        return state_from_stat(os.stat(file))
    except OSError:
        return None


class DigestCache:
    """The digest of a folder or archive, computed once and valid as long as the state of every file is unchanged.

    Like git's index, the cache trusts the state and does not read the files again. The state includes the ctime, which moves
    at every write and, unlike the mtime, cannot be set. (Windows has no ctime: a file overwritten with one of the same size
    and date counts as unchanged.)

    Args:
        origin: the folder or archive.
        states: name -> state of each file, in a fixed order, taken before any file is read; None if it is not a file.
    """

    def __init__(self, origin: str, states: Mapping[str, FileState | None]):
        name = hashlib.sha256(os.path.abspath(origin).encode("utf-8", "surrogateescape")).hexdigest()[:32]
        self._file = cache_folder() / "digests" / f"{name}.json"
        known = hashlib.sha256("\0".join(states).encode("utf-8", "surrogateescape"))
        # In marshal's version 0, equal states are equal bytes. JSON takes three times as long.
        known.update(marshal.dumps(list(states.values()), 0))
        self._states = known.hexdigest()
        youngest = max((state[CTIME] for state in states.values() if state is not None), default=0)
        self._settled = youngest < time.time_ns() - SETTLED

    def get_or_compute(self, digest: Callable[[], tuple[str, bool]]) -> str:
        """Return the cached digest, or compute it with `digest`, which returns it and whether it may be cached."""
        found = self.get()
        if found is None:
            found, may_be_cached = digest()
            if may_be_cached and self._settled:
                self._save(found)
        return found

    def get(self) -> str | None:
        """Return the cached digest, or None."""
        with suppress(OSError, ValueError, TypeError, KeyError):
            known = json.loads(self._file.read_text(encoding="utf-8"))
            if known["states"] == self._states and isinstance(known["digest"], str):
                return known["digest"]
        return None

    def _save(self, digest: str) -> None:
        with suppress(OSError, RunError):  # without a writable cache, the next run computes it again
            self._file.parent.mkdir(parents=True, exist_ok=True)
            write_json(self._file, {"states": self._states, "digest": digest})
