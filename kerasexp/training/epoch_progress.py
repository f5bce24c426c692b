"""Progress while training: a live bar on a terminal, a line per epoch elsewhere."""

from __future__ import annotations

from contextlib import ExitStack
from types import TracebackType
from typing import Self

import keras

from kerasexp.console import Bar, Console
from kerasexp.training.callbacks import History


class EpochProgress(keras.callbacks.Callback):
    """Show the running epoch as a bar, and each finished one as a line, with the learning rate of the history.

    Train in its `with` block, which removes the bar of an epoch that does not end.
    """

    def __init__(self, console: Console, history: History, epochs: int, steps: int):
        super().__init__()
        self._console, self._history, self._epochs, self._steps = console, history, epochs, steps
        self._open = ExitStack()
        self._bar: Bar | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._open.close()

    def on_epoch_begin(self, epoch, logs=None):
        self._bar = self._open.enter_context(self._console.bar(f"epoch {epoch + 1}/{self._epochs}", self._steps))

    def on_train_batch_end(self, batch, logs=None):
        self._bar.advance(batch + 1, f"loss {logs['loss']:.4f}  accuracy {logs['accuracy']:.4f}")

    def on_epoch_end(self, epoch, logs=None):
        self._open.close()
        rate = self._history.rows[-1]["learning_rate"]
        shown = "  ".join(f"{name} {value:.4f}" for name, value in logs.items() if name != "learning_rate")
        self._console.line(f"epoch {epoch + 1}/{self._epochs}  {shown}  learning_rate {rate:.2g}")
