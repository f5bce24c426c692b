"""What is printed while a command runs: plain lines, and on a terminal a live progress bar."""

from __future__ import annotations

import shlex
import sys
from types import TracebackType
from typing import TextIO


def command_line(*arguments: object) -> str:
    """Return what a user types to run a kerasexp command with these arguments."""
    return shlex.join(["python", "-m", "kerasexp", *map(str, arguments)])


class Bar:
    """A live progress bar on a terminal; nothing elsewhere, where each update would be a new line."""

    def __init__(self, title: str, total: int | None, live: bool):
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[text]}"),
        )
        self._live = live
        self._progress = Progress(*columns, transient=True, disable=not live)
        self._task = self._progress.add_task(title, total=total, text="")

    def __enter__(self) -> Bar:
        self._progress.start()
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._progress.stop()

    def advance(self, done: int, text: str = "") -> None:
        """Show that `done` of all are done."""
        if self._live:
            self._progress.update(self._task, completed=done, text=text)

    def progress(self, done: int, total: int) -> None:
        """As `advance`, with a total that was not known at the start."""
        if self._live:
            self._progress.update(self._task, completed=done, total=total)


class Console:
    """Prints lines to standard output or to a file; the last line of standard output is left to the command's answer."""

    def __init__(self, file: TextIO | None = None, quiet: bool = False):
        self._file, self._quiet = file, quiet
        self._live = not quiet and file is None and sys.stdout.isatty()

    def line(self, text: str) -> None:
        """Print one line."""
        if not self._quiet:
            print(text, file=self._file, flush=True)

    def bar(self, title: str, total: int | None) -> Bar:
        """Return a bar of `total` units, None where it is not known yet; use it in a `with` block."""
        return Bar(title, total, self._live)
