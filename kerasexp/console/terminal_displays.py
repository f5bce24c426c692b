"""The live displays of a terminal: a bar, the line of a training, the table of jobs."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Protocol

from rich.console import Console as Terminal
from rich.console import ConsoleOptions, Group, RenderableType
from rich.table import Table
from rich.text import Text

from kerasexp.console.live_line import GAP, Part, fitted, live_line
from kerasexp.console.plain_console import Bar, Display, JobTable, TrainingLine
from kerasexp.console.position import Position
from kerasexp.console.shown_words import clock_text

# Images a second are those of the last seconds; a job's position is asked for at most so often.
RECENT_SECONDS, ASK_SECONDS = 10.0, 1.0
# Share of the width that the names of jobs may take, and characters at the end of a longer name that are shown.
NAME_SHARE, NAME_END = 0.4, 7


class Screen(Protocol):
    """Where displays are shown as long as they are open."""

    def add(self, display: Display) -> None: ...

    def remove(self, display: Display) -> None: ...


class _Shown(Display):
    """A display of a screen."""

    def __init__(self, screen: Screen):
        self._screen = screen

    def __enter__(self):
        self._screen.add(self)
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._screen.remove(self)


class TerminalBar(_Shown, Bar):
    """A bar with its count and the time left."""

    def __init__(self, screen: Screen, title: str, total: int | None):
        super().__init__(screen)
        self._title, self._total, self._done, self._start = title, total, 0, time.monotonic()

    def advance(self, done: int) -> None:
        self._done = done

    def progress(self, done: int, total: int) -> None:
        self._done, self._total = done, total

    def __rich_console__(self, terminal: Terminal, options: ConsoleOptions) -> Iterator[RenderableType]:
        done, total = self._done, self._total
        left = (time.monotonic() - self._start) * (total - done) / done if total and done else None
        parts = [
            Part(self._title, 3, "bold"),
            Part(f"{done:,}/{total:,}" if total else f"{done:,}", 2),
            Part(_left(left), 1),
        ]
        yield live_line(parts, done, total, options.max_width)


class TerminalTraining(_Shown, TrainingLine):
    """Epoch, step, time left, loss, accuracy and images a second of a training, on one line."""

    def __init__(self, screen: Screen, epochs: int, steps: int, batch_size: int):
        super().__init__(screen)
        self._epochs, self._steps, self._batch_size = epochs, steps, batch_size
        self._last: tuple[int, int, float, float] | None = None
        self._phase = "training"
        # The first step, in which graphs are built, is not counted in the speed.
        self._begin: tuple[float, int] | None = None
        self._recent: deque[tuple[float, int]] = deque()

    def step(self, epoch: int, step: int, loss: float, accuracy: float) -> None:
        self._last, self._phase = (epoch, step, loss, accuracy), "training"
        if self._begin is None:
            self._begin = time.monotonic(), (epoch - 1) * self._steps + step

    def validate(self) -> None:
        self._phase = "validating"

    def position(self) -> Position:
        """Return where the training is now."""
        if self._last is None or self._begin is None:
            return Position("preparing the first step")
        (epoch, step, loss, accuracy), now = self._last, time.monotonic()
        done = (epoch - 1) * self._steps + step
        if self._phase == "training":
            self._recent.append((now, done))
        while len(self._recent) > 2 and now - self._recent[0][0] > RECENT_SECONDS:
            self._recent.popleft()
        then, before = self._recent[0] if self._recent else (now, done)
        speed = (done - before) * self._batch_size / (now - then) if now > then and done > before else None
        # The mean since the beginning includes validation and saving, as does what is left.
        start, first = self._begin
        left = (now - start) / (done - first) * (self._epochs * self._steps - done) if done > first else None
        return Position(self._phase, epoch, self._epochs, step, self._steps, loss, accuracy, speed, left)

    def __rich_console__(self, terminal: Terminal, options: ConsoleOptions) -> Iterator[RenderableType]:
        at = self.position()
        parts = [
            Part(_epoch(at), 6, "bold"),
            Part(at.phase if at.step is None or at.phase != "training" else f"{at.step:,}/{at.steps:,}", 2),
            Part(_left(at.seconds_left), 5),
            Part(_metric("loss", at.loss), 4),
            Part(_metric("accuracy", at.accuracy), 3, short=_metric("acc", at.accuracy)),
            Part(_speed(at), 1),
        ]
        yield live_line(parts, at.share, 1.0, options.max_width)


class TerminalJobs(_Shown, JobTable):
    """A line for all jobs, and below it one for each that is running."""

    def __init__(self, screen: Screen, title: str, total: int | None):
        super().__init__(screen)
        self._title, self._total, self._done = title, total, 0
        self._running: dict[str, _Job] = {}
        self._seconds: list[float] = []

    def start(self, name: str, position: Callable[[], Position]) -> None:
        self._running = {**self._running, name: _Job(position)}

    def end(self, name: str) -> None:
        job = self._running.get(name)
        self._running = {other: job for other, job in self._running.items() if other != name}
        self._done += 1
        if job is not None and job.has_trained:
            self._seconds.append(time.monotonic() - job.start)

    def skip(self, done: int) -> None:
        self._done += done

    def seconds_left(self) -> float | None:
        """Return the estimated time until all jobs have ended; None until one has, or if their number is not known."""
        if not self._seconds or self._total is None:
            return None
        each, now, running = sum(self._seconds) / len(self._seconds), time.monotonic(), list(self._running.values())
        begun = sum(max(each - (now - job.start), 0.0) for job in running)
        waiting = max(self._total - self._done - len(running), 0)
        return (begun + waiting * each) / max(len(running), 1)

    def __rich_console__(self, terminal: Terminal, options: ConsoleOptions) -> Iterator[RenderableType]:
        running, done, total = self._running, self._done, self._total
        parts = [
            Part(self._title, 4, "bold"),
            Part(f"{done:,}/{total:,} done" if total else f"{done:,} done", 3),
            Part(f"{len(running)} running", 1),
            Part(_left(self.seconds_left()), 2),
        ]
        begun = sum(job.position().share for job in running.values())
        head = live_line(parts, done + begun, total, options.max_width)
        # One line less than the screen has, with the first one.
        most = max((options.height or terminal.height) - 3, 1)
        shown = dict(list(running.items())[:most])
        yield Group(head, self._rows(shown, options.max_width - 1))
        if len(running) > most:
            yield Text(f"  and {len(running) - most} more", style="dim")

    @staticmethod
    def _rows(running: dict[str, _Job], width: int) -> RenderableType:
        table = Table.grid(padding=(0, GAP, 0, 0), pad_edge=False)
        name_width = min(max(map(len, running), default=0), max(round(width * NAME_SHARE), 12))
        rows = [_cells(job.position()) for job in running.values()]
        # A column is shown in all rows or in none.
        widest = [max(cells, key=lambda cell: len(cell.text)) for cells in zip(*rows, strict=True)]
        ranks = {part.rank for part in fitted(widest, width - name_width - 2 * GAP)}
        for name, row in zip(running, rows, strict=True):
            cells = [
                Text(cell.text, style=cell.style, no_wrap=True, overflow="crop") for cell in row if cell.rank in ranks
            ]
            table.add_row(Text(f"  {_cropped(name, name_width)}", no_wrap=True, overflow="crop"), *cells)
        return table


class _Job:
    """A running job, and where it was when it was asked last."""

    def __init__(self, position: Callable[[], Position]):
        self._ask, self._asked_at = position, float("-inf")
        self._position = Position("starting")
        self.start, self.has_trained = time.monotonic(), False

    def position(self) -> Position:
        now = time.monotonic()
        if now - self._asked_at >= ASK_SECONDS:
            self._position, self._asked_at = self._ask(), now
            self.has_trained |= self._position.epoch is not None
        return self._position


def _cropped(name: str, width: int) -> str:
    """Return a name without a part of its middle: variants differ at its beginning, seeds at its end."""
    return name if len(name) <= width else f"{name[: width - NAME_END - 2]}..{name[-NAME_END:]}"


def _cells(at: Position) -> list[Part]:
    """Return the cells of a job's row, after its name."""
    place = f"{_epoch(at)}, {at.share:.0%}" if at.epoch and at.phase == "training" else at.phase
    return [
        Part(place, 5),
        Part(_metric("loss", at.loss), 2, "dim"),
        Part(_metric("accuracy", at.accuracy), 3),
        Part(_speed(at), 1, "dim"),
        Part(_left(at.seconds_left), 4),
    ]


def _epoch(at: Position) -> str:
    return "" if at.epoch is None else f"epoch {at.epoch}/{at.epochs}"


def _metric(name: str, value: float | None) -> str:
    return "" if value is None else f"{name} {value:.4f}"


def _speed(at: Position) -> str:
    return "" if at.images_per_second is None else f"{at.images_per_second:,.0f} images/s"


def _left(seconds: float | None) -> str:
    return "" if seconds is None else f"{clock_text(seconds)} left"
