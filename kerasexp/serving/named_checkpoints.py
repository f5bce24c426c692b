"""The checkpoints that `serve` is given, and the names under which it serves them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kerasexp.errors import Problem, UserError

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


@dataclass(frozen=True)
class NamedCheckpoint:
    """A checkpoint to serve."""

    name: str
    path: Path


def split_name(text: str) -> tuple[str, str]:
    """Return the name, which may be empty, and the path in an argument `CHECKPOINT` or `NAME=CHECKPOINT`."""
    name, equals, path = text.partition("=")
    return (name, path) if equals and "/" not in name else ("", text)


def named_checkpoints(given: Sequence[str]) -> list[NamedCheckpoint]:
    """Return the checkpoints in arguments `CHECKPOINT` or `NAME=CHECKPOINT`.

    Without a name, `runs/digits/2` is `digits-2`, and any other path the last of its parts.

    Raises:
        UserError: a name is none, or is that of two checkpoints.
    """
    found, problems = [], []
    for text in given:
        name, path = split_name(text)
        name = name or _name_of(Path(path))
        if not NAME.fullmatch(name):
            allowed = "up to 64 letters, digits, `-`, `_` and `.`"
            problems.append(Problem(f"{name!r} is no name; a name has {allowed}: serve NAME=CHECKPOINT", text))
        elif any(one.name == name for one in found):
            problems.append(
                Problem(f"two checkpoints are called {name!r}; give one another name: NAME=CHECKPOINT", text)
            )
        found.append(NamedCheckpoint(name, Path(path)))
    if problems:
        raise UserError(*problems)
    return found


def _name_of(path: Path) -> str:
    parts = [part for part in path.absolute().parts if part not in ("checkpoint", "model.keras")]
    last = parts[-1]
    return f"{parts[-2]}-{last}" if last.isdecimal() and len(parts) > 2 else last
