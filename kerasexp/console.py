"""What is printed while a command runs: plain lines, and where it can be shown a live progress bar."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self, TextIO

# Of a bar in a notebook, which is drawn again at most so often: characters, and seconds.
BAR_WIDTH, REDRAW_SECONDS = 30, 0.25


def command_line(*arguments: object) -> str:
    """Return what a user types to run a kerasexp command with these arguments."""
    words = ["python", "-m", "kerasexp", *map(str, arguments)]
    return subprocess.list2cmdline(words) if os.name == "nt" else shlex.join(words)


def shown_path(path: Path) -> str:
    """Return a path as it is shown: below the working folder, relative to it."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


class Display(Protocol):
    """An output of a notebook that can be replaced."""

    def update(self, content: dict[str, str], raw: bool) -> None: ...


class Bar:
    """Progress that is not shown: in a file, each update would be a new line. Use it in a `with` block."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        pass

    def advance(self, done: int, text: str = "") -> None:
        """Show that `done` of all are done."""

    def progress(self, done: int, total: int) -> None:
        """As `advance`, with a total that was not known at the start."""


class TerminalBar(Bar):
    """A live progress bar on a terminal, which disappears at its end."""

    def __init__(self, title: str, total: int | None):
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[text]}"),
        )
        self._progress = Progress(*columns, transient=True)
        self._task = self._progress.add_task(title, total=total, text="")

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._progress.stop()

    def advance(self, done: int, text: str = "") -> None:
        self._progress.update(self._task, completed=done, text=text)

    def progress(self, done: int, total: int) -> None:
        self._progress.update(self._task, completed=done, total=total)


class NotebookOutput:
    """The output of a notebook's cell: lines, and below them one that changes, without control characters."""

    def __init__(self):
        self._lines: list[str] = []
        self._bars: dict[NotebookBar, str] = {}
        self._display: Display | None = None
        self._drawn_at = 0.0

    def add(self, line: str) -> None:
        """Show one more line that stays."""
        self._lines.append(line)
        self._draw()

    def show(self, bar: NotebookBar, text: str | None) -> None:
        """Show the state of a bar; None removes it."""
        if text is None:
            self._bars.pop(bar, None)
            self._draw()
            return
        self._bars[bar] = text
        if time.monotonic() - self._drawn_at >= REDRAW_SECONDS:
            self._draw()

    def _draw(self) -> None:
        self._drawn_at = time.monotonic()
        content = {"text/plain": "\n".join([*self._lines, *self._bars.values()])}
        if self._display is not None:
            self._display.update(content, raw=True)
        elif content["text/plain"]:
            from IPython.display import display

            self._display = display(content, raw=True, display_id=True)


class NotebookBar(Bar):
    """A bar of characters in the output of a notebook's cell, which disappears at its end."""

    def __init__(self, output: NotebookOutput, title: str, total: int | None):
        self._output, self._title, self._total = output, title, total

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._output.show(self, None)

    def advance(self, done: int, text: str = "") -> None:
        if self._total:
            filled = round(BAR_WIDTH * min(done / self._total, 1))
            drawn = f"{'█' * filled}{'░' * (BAR_WIDTH - filled)} {done:,}/{self._total:,}"
        else:
            drawn = f"{done:,}"
        self._output.show(self, f"{self._title}  {drawn}  {text}".rstrip())

    def progress(self, done: int, total: int) -> None:
        self._total = total
        self.advance(done)


class Console:
    """Prints lines to standard output or to a file; the last line of standard output is left to the command's answer.

    Args:
        file: in place of standard output.
        quiet: whether nothing is shown.
    """

    def __init__(self, file: TextIO | None = None, quiet: bool = False):
        self._file, self._quiet = file, quiet
        is_shown = not quiet and file is None
        self._notebook = NotebookOutput() if is_shown and in_notebook() else None
        self._live = is_shown and sys.stdout.isatty()

    def line(self, text: str) -> None:
        """Print one line."""
        if self._notebook is not None:
            self._notebook.add(text)
        elif not self._quiet:
            print(text, file=self._file, flush=True)

    def bar(self, title: str, total: int | None) -> Bar:
        """Return a bar of `total` units, None where it is not known yet; use it in a `with` block."""
        if self._notebook is not None:
            return NotebookBar(self._notebook, title, total)
        return TerminalBar(title, total) if self._live else Bar()


def in_notebook() -> bool:
    """Return whether this is the kernel of a notebook, whose cells show what is displayed."""
    ipython: Any = sys.modules.get("IPython")
    with suppress(AttributeError):  # a program that only imports IPython has no shell
        return ipython.get_ipython().kernel is not None
    return False
