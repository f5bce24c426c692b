"""Where a running job is, by the files of its run directory: it may run in another process or on another machine."""

from __future__ import annotations

import json
from pathlib import Path

from kerasexp.console import Position
from kerasexp.saving.saved_files import RunFiles


class JobPosition:
    """Returns where the run in a directory is, when it is called.

    Files that were there when the job began are those of an earlier process, until they change.
    """

    def __init__(self, folder: Path):
        self._files = RunFiles(folder)
        self._before = {path: _version(path) for path in self._watched}

    @property
    def _watched(self) -> tuple[Path, Path, Path]:
        return self._files.manifest, self._files.progress, self._files.history

    def __call__(self) -> Position:
        has_begun, trains, has_trained = (_version(path) not in (None, self._before[path]) for path in self._watched)
        if trains and (position := _read(self._files.progress)) is not None:
            return position
        return Position("evaluating" if has_trained else "preparing" if has_begun else "starting")


def _version(path: Path) -> int | None:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return None


def _read(path: Path) -> Position | None:
    """Return what `progress.json` says; None if it has just gone, or is not as this version writes it."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        speed, done = found["steps_per_second"], (found["epoch"] - 1) * found["steps"] + found["step"]
        left = (found["epochs"] * found["steps"] - done) / speed if speed else None
        keys = ("phase", "epoch", "epochs", "step", "steps", "loss", "accuracy", "images_per_second")
        return Position(**{key: found[key] for key in keys}, seconds_left=left)
    except (OSError, ValueError, KeyError, TypeError):
        return None
