"""A console of plain lines, what the others have in common with it, and consoles that show less."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import TracebackType
from typing import Self, TextIO

from kerasexp.console.events import Event, Heading, Note, Warned
from kerasexp.console.position import Position


class Display:
    """A live display, which is open in its `with` block. This one and its kinds below show nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        pass


class Bar(Display):
    """How much of something is done. In a file, each update would be a new line, so it is not shown."""

    def advance(self, done: int) -> None:
        """Show that `done` of all are done."""

    def progress(self, done: int, total: int) -> None:
        """As `advance`, with a total that was not known at the start."""


class TrainingLine(Display):
    """Where a training is, on one line."""

    def step(self, epoch: int, step: int, loss: float, accuracy: float) -> None:
        """Show the step that has ended, from 1, of an epoch, from 1. It is called after every step, so it only takes note."""

    def validate(self) -> None:
        """Show that the epoch is being validated."""


class JobTable(Display):
    """What each running job of a study or a search does."""

    def start(self, name: str, position: Callable[[], Position]) -> None:
        """Show a job; `position` returns where it is, and is called about once a second, in another thread."""

    def end(self, name: str) -> None:
        """Show a job no longer, and count it as done."""

    def skip(self, done: int) -> None:
        """Count this many as done, which ended before."""


class Console:
    """Prints each event as a line to standard output or a file; displays nothing live.

    The last line of standard output is left to the command's answer.

    Args:
        file: in place of standard output.
    """

    def __init__(self, file: TextIO | None = None):
        self._file = file

    def show(self, event: Event) -> None:
        """Show an event."""
        print(event, file=self._file, flush=True)

    def line(self, text: str) -> None:
        """Show a sentence."""
        self.show(Note(text))

    def warning(self, text: str) -> None:
        """Show a sentence that matters even to those who do not want to see progress."""
        self.show(Warned(text))

    def heading(self, text: str) -> None:
        """Show a blank line and a title above what follows."""
        self.show(Heading(text))

    def answer(self, text: object) -> None:
        """Print the answer of a command, the last line."""
        print(text, file=self._file, flush=True)

    def bar(self, title: str, total: int | None) -> Bar:
        """Return a bar of `total` units, None where it is not known yet; use it in a `with` block."""
        return Bar()

    def training(self, epochs: int, steps: int, batch_size: int) -> TrainingLine:
        """Return the line of a training of `epochs` with `steps` of `batch_size` images; use it in a `with` block."""
        return TrainingLine()

    def jobs(self, title: str, total: int | None) -> JobTable:
        """Return the table of `total` jobs, None where it is not known; use it in a `with` block."""
        return JobTable()


class QuietConsole(Console):
    """Shows nothing but the answer."""

    def show(self, event: Event) -> None:
        pass


class WarningConsole(Console):
    """Prints warnings to standard error, and the answer."""

    def show(self, event: Event) -> None:
        if isinstance(event, Warned):
            print(f"warning: {event}", file=sys.stderr, flush=True)
