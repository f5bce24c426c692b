"""How long a training has been going on, over all the processes that it took."""

from __future__ import annotations

import time


class Clock:
    """Seconds of training: those before this process, and those since `start`."""

    def __init__(self):
        self._before = 0.0
        self._start: float | None = None

    def start(self, before: float = 0.0) -> None:
        """Begin, after `before` seconds in other processes."""
        self._before, self._start = before, time.perf_counter()

    def seconds(self) -> float:
        """Return the seconds so far."""
        return self._before + (0.0 if self._start is None else time.perf_counter() - self._start)
