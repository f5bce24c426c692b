"""Buttons that reach a process: stop a run, a study or a search, as Ctrl-C would, and continue one that is unfinished."""

from __future__ import annotations

import json
import os
import platform
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from kerasexp.browser.run_folders import find_folders
from kerasexp.browser.run_index import status_of
from kerasexp.errors import Problem, UserError
from kerasexp.runs.resume_command import resume_arguments
from kerasexp.saving.json_values import mapping_of
from kerasexp.saving.saved_files import RunFiles

# What a process that was started here prints; it lies in the directory that it continues.
LOG = "resumed.log"
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)
RESUMABLE = ("interrupted", "failed", "killed", "unfinished")


# What this process has started, by directory.
_started: dict[Path, subprocess.Popen] = {}


def is_resuming(place: Path) -> bool:
    """Return whether a process that was started here is still at it; at first it reads data, and the run does not run yet."""
    return place in _started and _started[place].poll() is None


def can_stop(place: Path, status: str) -> bool:
    """Return whether a run, a study or a search runs in a process of this machine that can be asked to stop."""
    return status == "running" and _stop_request(place) is not None


def stop(place: Path) -> None:
    """Ask the process of a run, a study or a search to stop: it ends its step, and saves the state that continues it.

    A study or a search asks its workers in turn.

    Raises:
        UserError: nothing runs there now, or it cannot be reached.
    """
    request = _stop_request(place) if status_of(place) == "running" else None
    if request is None:
        message = "does not run now in a process of this machine that can be stopped; its end takes some seconds"
        raise UserError(Problem(message, str(place)))
    with suppress(ProcessLookupError):  # it has just ended
        try:
            os.kill(*request)
        except PermissionError:
            raise UserError(Problem("is a process of another user", str(place))) from None


def resume(place: Path, status: str) -> None:
    """Start a process that continues an unfinished run, study or search. It does not end with this one.

    Raises:
        UserError: it is running or finished, or its directory cannot be written.
    """
    if status not in RESUMABLE:
        raise UserError(Problem(f"is {status}, so there is nothing to continue", str(place)))
    if is_resuming(place):
        raise UserError(Problem(f"is being continued already; {LOG} has what it prints", str(place)))
    command = [sys.executable, "-m", "kerasexp", *map(str, resume_arguments(place.resolve()))]
    try:
        with (place / LOG).open("ab") as log:
            _started[place] = subprocess.Popen(
                command,
                cwd=_working_folder(place),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
    except OSError as error:
        message = f"nothing can be started there: {error.strerror or error}"
        raise UserError(Problem(message, str(place / LOG))) from None


def _stop_request(place: Path) -> tuple[int, int] | None:
    """Return the process that holds the lock of a directory, and the signal that stops it; None if it cannot be asked."""
    try:
        found = json.loads(RunFiles(place).process.read_text(encoding="utf-8"))
        process, number = int(found["process"]), int(found["stop_signal"])
        is_here = os.name != "nt" and found["host"] == platform.node()
        # 0 and less would be groups of processes.
        return (process, number) if is_here and process > 1 and number in STOP_SIGNALS else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _working_folder(place: Path) -> Path:
    """Return the folder in which a run began, where upstream runs are looked for; this one if it is gone.

    A study or a search has begun where its first run has.
    """
    for found in find_folders(place):
        folder = mapping_of(RunFiles(place / found.path).read_manifest().get("provenance")).get("folder")
        if isinstance(folder, str) and Path(folder).is_dir():
            return Path(folder)
    return Path.cwd()
