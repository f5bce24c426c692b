"""Ctrl-C and SIGTERM: a training stops after its current step, with its state saved."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from kerasexp.errors import Interrupted


class StopRequest:
    """Whether the process was asked to stop, and by which signal."""

    def __init__(self):
        self.signal: int | None = None

    def raise_if_asked(self) -> None:
        """Raise Interrupted if the process was asked to stop."""
        if self.signal is not None:
            raise Interrupted(self.signal)


@contextmanager
def stop_requests() -> Iterator[StopRequest]:
    """Record SIGINT and SIGTERM in place of ending the process; a second one raises Interrupted at once."""
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():  # only the main thread handles signals
        yield request
        return

    def record(number: int, frame: object) -> None:
        if request.signal is not None:
            raise Interrupted(number)
        request.signal = number

    before = {number: signal.signal(number, record) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def interruption_as_error() -> Iterator[None]:
    """Let SIGTERM and Ctrl-C raise Interrupted at any point, so that the manifest can record it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(number: int, frame: object) -> None:
        raise Interrupted(number)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    except KeyboardInterrupt:
        raise Interrupted(signal.SIGINT) from None
    finally:
        signal.signal(signal.SIGTERM, before)
