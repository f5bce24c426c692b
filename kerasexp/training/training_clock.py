"""The duration of a training over all its processes."""

from __future__ import annotations

import time


class Clock:
    """Seconds of training: those of earlier processes, and those since `start`."""

    def __init__(self):
        self._before = 0.0
        self._start: float | None = None

    def start(self, before: float = 0.0) -> None:
        """Start the clock, after `before` seconds in earlier processes."""
        self._before, self._start = before, time.perf_counter()

    def seconds(self) -> float:
        """Return the seconds so far."""
        return self._before + (0.0 if self._start is None else time.perf_counter() - self._start)
