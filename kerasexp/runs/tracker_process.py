"""The process that sends runs to trackers while they train, so that a training waits for no network."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from kerasexp.config.track_section import TRACK, Track
from kerasexp.console import Console, command_line, shown_path
from kerasexp.environment import install_command, missing_of
from kerasexp.errors import Problem, UserError

# Seconds. At the end of a command the rest is sent for so long at most; a process that is asked to end has some more.
LAST_SECONDS, END_SECONDS = 60, 5
# Who has asked a training to stop does not want to wait.
LAST_SECONDS_AFTER_FAILURE = 10
# A line of the process is one of these, a tab, and the text.
NOTE, WARNING = "note", "warning"


def require_trackers(track: Track, name: str) -> None:
    """Raise UserError if the package of a tracker is not installed.

    Args:
        track: the section.
        name: of the experiment, the study or the search.
    """
    for tracker in track.remote:
        if missing := missing_of(tracker):
            message = f"needs {', '.join(missing)}, which is not installed: {install_command(tracker)}"
            raise UserError(Problem(message, name, f"{TRACK}.{tracker}"))


@contextmanager
def followed(folder: Path, track: Track, console: Console) -> Iterator[None]:
    """Let another process send the run, the study or the search in a folder to its trackers, during the block and at its end.

    Whatever happens to that process, the block is neither stopped nor slowed.

    Args:
        folder: where `experiment.yaml` names the trackers, if not yet, then soon.
        track: the same trackers; without any there is no process.
        console: where the process has its lines shown.
    """
    if not track.remote:
        yield
        return
    rest = f"send what is missing with: {command_line(TRACK, 'sync', shown_path(folder))}"
    try:
        process = _start(folder)
    except OSError as error:
        console.warning(f"trackers: no process can be started ({error.strerror or error}); {rest}")
        yield
        return
    reader = threading.Thread(target=_relay, args=(process.stdout, console), daemon=True)
    reader.start()
    seconds = LAST_SECONDS_AFTER_FAILURE
    try:
        yield
        seconds = LAST_SECONDS
    finally:
        reason = _end(process, seconds)
        reader.join(END_SECONDS)
        if reason is not None:
            console.warning(f"trackers: {reason}; {rest}")


def _start(folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "kerasexp", TRACK, "follow", str(folder)],
        stdin=subprocess.PIPE,  # its end is that of this process too, however that comes
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        encoding="utf-8",
        errors="backslashreplace",
        start_new_session=True,  # Ctrl-C is for the training alone
    )


def _relay(lines: IO[str], console: Console) -> None:
    for line in lines:
        kind, _, text = line.rstrip("\n").partition("\t")
        show = console.warning if kind == WARNING else console.line
        show(text)


def _end(process: subprocess.Popen[str], seconds: float) -> str | None:
    """Let the process send the rest; return why it may not have, or None."""
    with suppress(OSError):
        process.stdin.close()
    try:
        code = process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.terminate()
        try:
            process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
        return f"not everything was sent within {seconds} seconds"
    return None if code == 0 else f"their process has ended with code {code}"
