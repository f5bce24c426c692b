"""How commands, paths and times are written where people read them."""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path


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
    """Return how long something took, such as `12.3 s`, `4.5 min` or `2.1 h`."""
    return (
        f"{seconds:.1f} s"
        if seconds < 60
        else f"{seconds / 60:.1f} min"
        if seconds < 3600
        else f"{seconds / 3600:.1f} h"
    )
