"""How commands, paths and times are written where people read them."""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path

# Seconds of the units of time, the largest first.
UNITS = (("days", 86400), ("h", 3600), ("min", 60), ("s", 1))


def command_line(*arguments: object) -> str:
    """Return what a user types to run a kerasexp command with these arguments."""
    words = ["python", "-m", "kerasexp", *map(str, arguments)]
    return subprocess.list2cmdline(words) if os.name == "nt" else shlex.join(words)


def shown_path(path: Path) -> str:
    """Return a path as it is shown: below the working folder, relative to it."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def clock_text(seconds: float) -> str:
    """Return a time as a clock shows it, such as `1:05` or `2:00:05`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def duration_text(seconds: float) -> str:
    """Return how long something takes, in two digits or more, such as `2.5 s`, `45 s`, `4.5 min`, `2.1 h` or `12 days`."""
    unit, size = next(((unit, size) for unit, size in UNITS if seconds >= size), UNITS[-1])
    return f"{seconds / size:.{1 if seconds / size < 9.95 else 0}f} {unit}"
