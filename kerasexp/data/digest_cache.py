"""Digests of files, cached for as long as the files do not change."""

from __future__ import annotations

import hashlib
import json
import marshal
import os
import time
from collections.abc import Callable, Mapping, Sequence
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
# Sets of files of one folder whose digests are kept: those of the splits of some experiments. A folder that grows has many.
MOST_SETS = 16
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
    """Digests of files of a folder, or of an archive, each computed once and valid while the state of these files is unchanged.

    Like git's index, the cache trusts the state and does not read the files again. The state includes the ctime, which moves
    at every write and, unlike the mtime, cannot be set. (Windows has no ctime: a file overwritten with one of the same size
    and date counts as unchanged.)

    Args:
        origin: the folder or archive.
        states: name -> state of each file, taken just now, before any file is read; None if it is not a file.
    """

    def __init__(self, origin: str, states: Mapping[str, FileState | None]):
        name = hashlib.sha256(os.path.abspath(origin).encode("utf-8", "surrogateescape")).hexdigest()[:32]
        self._file = cache_folder() / "digests" / f"{name}.json"
        self._states, self._taken = states, time.time_ns()

    def get_or_compute(self, names: Sequence[str], digest: Callable[[], tuple[str, bool]]) -> str:
        """Return the cached digest of the files of these names, in a fixed order, or compute it.

        Args:
            names: of the files; one without a state is not there.
            digest: returns it, and whether it may be cached.
        """
        states = list(map(self._states.get, names))
        key = _key(names, states)
        found = self._known().get(key)
        if found is None:
            found, may_be_cached = digest()
            youngest = max((state[CTIME] for state in states if state is not None), default=0)
            if may_be_cached and youngest < self._taken - SETTLED:
                self._save(key, found)
        return found

    def _known(self) -> dict[str, str]:
        """Return key -> digest; nothing where the file is not there or damaged."""
        with suppress(OSError, ValueError, AttributeError):
            known = json.loads(self._file.read_text(encoding="utf-8"))
            return {key: digest for key, digest in known.items() if isinstance(digest, str)}
        return {}

    def _save(self, key: str, digest: str) -> None:
        with suppress(OSError, RunError):  # without a writable cache, the next run computes it again
            self._file.parent.mkdir(parents=True, exist_ok=True)
            sets = [*self._known().items(), (key, digest)]
            write_json(self._file, dict(sets[-MOST_SETS:]))


def _key(names: Sequence[str], states: Sequence[FileState | None]) -> str:
    key = hashlib.sha256("\0".join(names).encode("utf-8", "surrogateescape"))
    # In marshal's version 0, equal states are equal bytes. JSON takes three times as long.
    key.update(marshal.dumps(states, 0))
    return key.hexdigest()
