"""Progress while training: where each step is, and an event per epoch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import keras

from kerasexp.console import Console, Event, TrainingLine
from kerasexp.training.callbacks import History


@dataclass(frozen=True)
class EpochEnded(Event):
    """An epoch has been trained and validated.

    Attributes:
        run: the run directory.
        epoch, epochs: its number, from 1, and all.
        metrics: loss, accuracy and the like, of val with `val_` before the name.
        learning_rate: of its last step.
    """

    run: Path
    epoch: int
    epochs: int
    metrics: dict[str, float]
    learning_rate: float
    event: ClassVar[str] = "epoch"

    def to_json(self) -> dict[str, Any]:
        found = super().to_json()
        metrics, rate = found.pop("metrics"), found.pop("learning_rate")
        return {**found, **metrics, "learning_rate": rate}

    def __str__(self) -> str:
        shown = "  ".join(f"{name} {value:.4f}" for name, value in self.metrics.items())
        return f"epoch {self.epoch}/{self.epochs}  {shown}  learning_rate {self.learning_rate:.2g}"


class EpochProgress(keras.callbacks.Callback):
    """Show each step on the line of a training, and each finished epoch as an event, with the learning rate of the history.

    Args:
        console: where epochs are shown.
        line: where steps are shown, open during the training.
        history: of the training.
        run: the run directory.
        epochs: of the training.
    """

    def __init__(self, console: Console, line: TrainingLine, history: History, run: Path, epochs: int):
        super().__init__()
        self._console, self._line, self._history, self._run, self._epochs = console, line, history, run, epochs
        self._epoch = 1

    def on_epoch_begin(self, epoch, logs=None):
        self._epoch = epoch + 1

    def on_train_batch_end(self, batch, logs=None):
        self._line.step(self._epoch, batch + 1, logs["loss"], logs["accuracy"])

    def on_test_begin(self, logs=None):
        self._line.validate()

    def on_epoch_end(self, epoch, logs=None):
        metrics = {name: float(value) for name, value in logs.items() if name != "learning_rate"}
        rate = self._history.rows[-1]["learning_rate"]
        self._console.show(EpochEnded(self._run, epoch + 1, self._epochs, metrics, rate))
