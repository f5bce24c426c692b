"""Ctrl-C and SIGTERM: a training stops after its current step, with its state saved."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
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

    def record(number: int, frame: object) -> None:
        if request.signal is not None:
            raise Interrupted(number)
        request.signal = number

    with _handled((signal.SIGINT, signal.SIGTERM), record):
        yield request


@contextmanager
def interruption_as_error() -> Iterator[None]:
    """Let SIGTERM and Ctrl-C raise Interrupted at any point, so that the manifest can record it."""

    def end(number: int, frame: object) -> None:
        raise Interrupted(number)

    with _handled((signal.SIGTERM,), end):
        try:
            yield
        except KeyboardInterrupt:
            raise Interrupted(signal.SIGINT) from None


@contextmanager
def _handled(numbers: tuple[int, ...], handler: Callable[[int, object], None]) -> Iterator[None]:
    """Handle signals in the block; other threads than the main one cannot."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, earlier in before.items():
            # A handler that was not set from Python is None, and cannot be set again.
            signal.signal(number, signal.SIG_DFL if earlier is None else earlier)
