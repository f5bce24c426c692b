"""The errors of kerasexp, each with the exit code of its command, and the wording of problems."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass

# User name and password in an address. A password may hold `/`, as addresses of databases are read; a port is none.
CREDENTIALS = re.compile(r"(?<=://)(?:[^/\s]*|[^:/\s]*:(?!\d{1,5}[/?#])[^@\s]*)@")


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong, with its file and dotted key where they are known."""

    message: str
    file: str | None = None
    key: str | None = None

    def __str__(self) -> str:
        place = ": ".join(part for part in (self.file, self.key) if part)
        return f"{place}: {self.message}" if place else self.message


class KerasexpError(Exception):
    """Base of the errors that are printed as one message, without a traceback."""

    exit_code = 1

    def _render_traceback_(self) -> list[str]:
        """Return what a notebook shows: the message, without the lines of code that led to it."""
        return [f"{type(self).__name__}: {self}"]


class UserError(KerasexpError):
    """A mistake of the user. It holds every problem that was found."""

    exit_code = 2

    def __init__(self, *problems: Problem | str):
        self.problems = [p if isinstance(p, Problem) else Problem(p) for p in problems]
        super().__init__("\n".join(str(p) for p in self.problems))


class DirectoryInUse(UserError):
    """Another process is writing to the directory."""


class RunError(KerasexpError):
    """A failure of a valid request: a full disk, removed data, a NaN loss."""


class NonFiniteLoss(RunError):
    """The loss became NaN or infinite."""


class Interrupted(KerasexpError):
    """The process was asked to stop, by Ctrl-C or SIGTERM."""

    def __init__(self, signal: int, advice: str = ""):
        self.signal = signal
        self.exit_code = 128 + signal
        super().__init__(f"interrupted{advice}")


def closest(word: object, allowed: Iterable[str]) -> str:
    """Return `; did you mean 'x'?` for the nearest allowed word, or an empty string when none is near."""
    allowed = [str(a) for a in allowed]
    lowered = {a.lower(): a for a in reversed(allowed)}
    match = difflib.get_close_matches(str(word).lower(), list(lowered), n=1, cutoff=0.5)
    return f"; did you mean '{lowered[match[0]]}'?" if match else ""


def listing(words: Iterable[object], limit: int = 12) -> str:
    """Return the words joined by commas, cut after `limit` with the count of the rest."""
    words = [str(w) for w in words]
    rest = len(words) - limit
    return ", ".join(words[:limit]) + (f", ... ({rest} more)" if rest > 0 else "")


def without_credentials(text: str) -> str:
    """Return a text with every address in it without user name and password."""
    return CREDENTIALS.sub("", text)
