"""Where a running job is, by the files of its run directory: it may run in another process or on another machine."""

from __future__ import annotations

from pathlib import Path

from kerasexp.console import Position
from kerasexp.saving.saved_files import RunFiles
from kerasexp.saving.training_progress import read_progress


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
        if trains and (progress := read_progress(self._files.progress)) is not None:
            return progress.position
        return Position("evaluating" if has_trained else "preparing" if has_begun else "starting")


def _version(path: Path) -> int | None:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return None
