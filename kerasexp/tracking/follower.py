"""A folder followed while its runs train, and what `track sync` and `track status` do with it."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import IO, Protocol

from kerasexp.console import command_line, shown_path
from kerasexp.tracking.delivery import Attempt, Delivery

# Seconds between two rounds at least; a round that takes long is followed by a longer pause, up to the last number.
SECONDS, PAUSE_PER_ROUND, LONGEST_PAUSE = 1.0, 10, 10.0


class Say(Protocol):
    def __call__(self, text: str, is_warning: bool = False) -> None:
        """Take a line for the user."""


def follow(delivery: Delivery, root: Path, end: IO[str], say: Say) -> None:
    """Send what is new in a folder until `end` ends, and then what is left.

    Args:
        delivery: of the folder.
        root: the folder.
        end: a stream that ends when the training does, however that comes.
        say: takes lines for the user: where to look, and once what goes wrong.
    """
    ended = threading.Event()
    threading.Thread(target=lambda: (end.read(), ended.set()), daemon=True).start()
    report, pause = _Report(root, say), SECONDS
    while not ended.wait(pause):
        start = time.monotonic()
        report.add(delivery.round())
        pause = min(max(SECONDS, PAUSE_PER_ROUND * (time.monotonic() - start)), LONGEST_PAUSE)
    report.add(delivery.round(is_last=True))
    delivery.close()
    report.end()


class _Report:
    """Says what a user has to know of a delivery, each thing once."""

    def __init__(self, root: Path, say: Say):
        self._root, self._say = root, say
        self._linked: set[str] = set()
        self._told: set[str] = set()
        self._failing: dict[str, set[str]] = {}

    def add(self, attempts: list[Attempt]) -> None:
        for attempt in attempts:
            name, delivered = attempt.tracker, attempt.delivered
            failing = self._failing.setdefault(name, set())
            if delivered.problem is None:
                failing.discard(attempt.path)
                if attempt.path == "." and name not in self._linked:
                    self._linked.add(name)
                    self._say(f"{name}: {delivered.link}")
                continue
            failing.add(attempt.path)
            if name not in self._told:
                self._told.add(name)
                rest = command_line("track", "sync", shown_path(self._root))
                where = f"{name} at {delivered.where}" if delivered.where else name
                missing = f"the training goes on, and what is missing is sent with: {rest}"
                self._say(f"{where}: {delivered.problem}; {missing}", is_warning=True)

    def end(self) -> None:
        """Say of which trackers that have failed everything is there in the end."""
        for name in sorted(self._told):
            if not self._failing[name]:
                self._say(f"{name}: everything is sent now")
