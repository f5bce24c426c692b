"""Ctrl-C and SIGTERM: a training stops after its current step, with its state saved."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from kerasexp.errors import Interrupted


class StopSignal(KeyboardInterrupt):
    """A signal asks the process to stop, at whatever line it is; like Ctrl-C, no `except Exception` takes it for a fault."""

    def __init__(self, number: int):
        super().__init__(number)
        self.signal = number


def interrupted_by(stop: KeyboardInterrupt) -> Interrupted:
    """Return the error of a command that Ctrl-C or a signal ends."""
    return Interrupted(stop.signal if isinstance(stop, StopSignal) else signal.SIGINT)


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
    """Record SIGINT and SIGTERM in place of ending the process; a second one raises StopSignal at once."""
    request = StopRequest()

    def record(number: int, frame: object) -> None:
        if request.signal is not None:
            raise StopSignal(number)
        request.signal = number

    with _handled((signal.SIGINT, signal.SIGTERM), record):
        yield request


@contextmanager
def interruption_as_error() -> Iterator[None]:
    """End the block at any line when SIGTERM or Ctrl-C comes, and raise Interrupted from it, so that it can be recorded."""

    def end(number: int, frame: object) -> None:
        raise StopSignal(number)

    with _handled((signal.SIGTERM,), end):
        try:
            yield
        except KeyboardInterrupt as stop:
            raise interrupted_by(stop) from None


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
