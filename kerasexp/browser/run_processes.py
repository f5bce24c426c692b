"""Buttons that reach a process: stop a training, as Ctrl-C would, and continue an unfinished run, study or search."""

from __future__ import annotations

import json
import os
import platform
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from kerasexp.browser.run_index import status_now
from kerasexp.errors import Problem, UserError
from kerasexp.runs.resume_command import resume_arguments
from kerasexp.saving.saved_files import RunFiles

# What a process that was started here prints; it lies in the directory that it continues.
LOG = "resumed.log"
RESUMABLE = ("interrupted", "failed", "killed", "unfinished")


# What this process has started, by directory.
_started: dict[Path, subprocess.Popen] = {}


def is_resuming(place: Path) -> bool:
    """Return whether a process that was started here is still at it; at first it reads data, and the run does not run yet."""
    return place in _started and _started[place].poll() is None


def can_stop(place: Path, status: str) -> bool:
    """Return whether a run is in its training, in a process of this machine that can be asked to stop."""
    return os.name != "nt" and status == "running" and _process(place) is not None


def stop_training(place: Path) -> None:
    """Ask the process of a training to stop: it ends its step, and saves the state that continues it.

    Raises:
        UserError: nothing trains there now.
    """
    process = _process(place) if _status(place) == "running" else None
    if process is None or os.name == "nt":
        message = "is not in its training now, so there is nothing to stop; its end takes some seconds"
        raise UserError(Problem(message, str(place)))
    with suppress(ProcessLookupError):  # it has just ended
        try:
            os.kill(process, signal.SIGINT)
        except PermissionError:
            raise UserError(Problem("is a process of another user", str(place))) from None


def resume(place: Path, status: str) -> None:
    """Start a process that continues an unfinished run, study or search. It does not end with this one.

    Raises:
        UserError: it is running or finished.
    """
    if status not in RESUMABLE:
        raise UserError(Problem(f"is {status}, so there is nothing to continue", str(place)))
    if is_resuming(place):
        raise UserError(Problem(f"is being continued already; {LOG} has what it prints", str(place)))
    command = [sys.executable, "-m", "kerasexp", *map(str, resume_arguments(place.resolve()))]
    with (place / LOG).open("ab") as log:
        _started[place] = subprocess.Popen(
            command,
            cwd=_working_folder(place),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def _status(place: Path) -> str:
    return status_now(place, str(RunFiles(place).read_manifest().get("status", "unknown")))


def _process(place: Path) -> int | None:
    """Return the number of the process that trains in a directory; None if it has written none, or is on another machine."""
    try:
        found = json.loads(RunFiles(place).progress.read_text(encoding="utf-8"))
        process = int(found["process"])
        # 0 and less would be groups of processes.
        return process if process > 1 and found["host"] == platform.node() else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _working_folder(place: Path) -> Path:
    """Return the folder in which a run began, where upstream runs are looked for; this one if it is gone."""
    folder = (RunFiles(place).read_manifest().get("provenance") or {}).get("folder")
    return Path(folder) if folder is not None and Path(folder).is_dir() else Path.cwd()
