"""A console for notebooks: one output per cell, whose last line changes, without control characters."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType
from typing import Protocol

from kerasexp.console.events import Event
from kerasexp.console.plain_console import Bar, Console, JobTable, TrainingLine
from kerasexp.console.position import Position

# Of a bar, which is drawn again at most so often: characters, and seconds.
BAR_WIDTH, REDRAW_SECONDS = 30, 0.25


class CellDisplay(Protocol):
    """An output of a notebook that can be replaced."""

    def update(self, content: dict[str, str], raw: bool) -> None: ...


class NotebookOutput:
    """The output of a notebook's cell: lines, and below them those of the open bars, which change."""

    def __init__(self):
        self._lines: list[str] = []
        self._bars: dict[object, str] = {}
        self._display: CellDisplay | None = None
        self._drawn_at = 0.0

    def add(self, line: str) -> None:
        """Show one more line that stays."""
        self._lines.append(line)
        self._draw()

    def show(self, bar: object, text: str | None) -> None:
        """Show the state of a bar; None removes it."""
        if text is None:
            self._bars.pop(bar, None)
            self._draw()
            return
        self._bars[bar] = text
        if self.is_due():
            self._draw()

    def is_due(self) -> bool:
        """Return whether the last drawing is long enough ago for another."""
        return time.monotonic() - self._drawn_at >= REDRAW_SECONDS

    def _draw(self) -> None:
        self._drawn_at = time.monotonic()
        content = {"text/plain": "\n".join([*self._lines, *self._bars.values()])}
        if self._display is not None:
            self._display.update(content, raw=True)
        elif content["text/plain"]:
            from IPython.display import display

            self._display = display(content, raw=True, display_id=True)


class NotebookBar(Bar):
    """A bar of characters, which disappears at its end."""

    def __init__(self, output: NotebookOutput, title: str, total: int | None):
        self._output, self._title, self._total = output, title, total

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._output.show(self, None)

    def advance(self, done: int) -> None:
        self._output.show(self, bar_text(self._title, done, self._total))

    def progress(self, done: int, total: int) -> None:
        self._total = total
        self.advance(done)


class NotebookTraining(TrainingLine):
    """The running epoch as a bar, with loss and accuracy."""

    def __init__(self, output: NotebookOutput, epochs: int, steps: int):
        self._output, self._epochs, self._steps = output, epochs, steps

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._output.show(self, None)

    def step(self, epoch: int, step: int, loss: float, accuracy: float) -> None:
        if step == 1 or step == self._steps or self._output.is_due():
            shown = bar_text(f"epoch {epoch}/{self._epochs}", step, self._steps)
            self._output.show(self, f"{shown}  loss {loss:.4f}  accuracy {accuracy:.4f}")


class NotebookJobs(JobTable):
    """How many jobs are done, as a bar."""

    def __init__(self, bar: NotebookBar):
        self._bar, self._done = bar, 0

    def __exit__(self, *error: object) -> None:
        self._bar.__exit__(None, None, None)

    def start(self, name: str, position: Callable[[], Position]) -> None:
        self._bar.advance(self._done)

    def end(self, name: str) -> None:
        self.skip(1)

    def skip(self, done: int) -> None:
        self._done += done
        self._bar.advance(self._done)


class NotebookConsole(Console):
    """Shows events as lines of the cell's output, and displays below them."""

    def __init__(self):
        super().__init__()
        self._output = NotebookOutput()

    def show(self, event: Event) -> None:
        self._output.add(str(event))

    def bar(self, title: str, total: int | None) -> Bar:
        return NotebookBar(self._output, title, total)

    def training(self, epochs: int, steps: int, batch_size: int) -> TrainingLine:
        return NotebookTraining(self._output, epochs, steps)

    def jobs(self, title: str, total: int | None) -> JobTable:
        return NotebookJobs(NotebookBar(self._output, title, total))


def bar_text(title: str, done: int, total: int | None) -> str:
    """Return a bar of characters with its title and its count."""
    if not total:
        return f"{title}  {done:,}"
    filled = round(BAR_WIDTH * min(done / total, 1))
    return f"{title}  {'█' * filled}{'░' * (BAR_WIDTH - filled)} {done:,}/{total:,}"
