"""Being asked to stop: Ctrl-C and SIGTERM, which end a training after its step and with its state saved."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from kerasexp.errors import Interrupted


class StopRequest:
    """Whether somebody asked to stop, and by which signal."""

    def __init__(self):
        self.signal: int | None = None

    def raise_if_asked(self) -> None:
        """Raise Interrupted where the process has been asked to stop."""
        if self.signal is not None:
            raise Interrupted(self.signal)


@contextmanager
def stop_requests() -> Iterator[StopRequest]:
    """Take note of SIGINT and SIGTERM instead of dying by them; the second one ends the process where it is."""
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():  # only there may a signal be handled
        yield request
        return

    def note(number: int, frame: object) -> None:
        if request.signal is not None:
            raise Interrupted(number)
        request.signal = number

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def interruption_is_an_error() -> Iterator[None]:
    """Let SIGTERM and Ctrl-C raise Interrupted wherever the process is, so that the manifest can tell of it."""
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
