"""The callbacks of a training: its checkpoint, its history, plateaus, and the stop at a loss that is not finite."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path

import keras

from kerasexp.config.training_section import Checkpoint, Training, direction
from kerasexp.storage import replacing, write_bytes
from kerasexp.training.training_clock import Clock
from kerasexp.training.training_devices import last_learning_rate, steps_done


class AtomicCheckpoint(keras.callbacks.ModelCheckpoint):
    """Keras's ModelCheckpoint with atomic writes, without the optimizer, and with a rule for ties.

    It saves a plain functional model for inference, a third of the size with Adam's state. If epochs tie in the monitored
    metric, the one with the lowest val_loss is kept; if they tie in both, the last.

    `kept` is the epoch, from 1, that was saved last; None before the first.
    """

    def __init__(self, path: Path, classifier: keras.Model, checkpoint: Checkpoint, history: History):
        self.kept: int | None = None
        self._keeps_best, self._history = checkpoint.keep == "best", history
        self._classifier = classifier
        self._final = path
        self._temporary = path.with_name(f".{path.name}.tmp.keras")
        # Keras formats the path with the epoch and its metrics; folders of a user may have braces in their names.
        template = str(self._temporary).replace("{", "{{").replace("}", "}}")
        super().__init__(template, monitor=checkpoint.monitor, mode=direction(checkpoint.monitor))

    def set_model(self, model: keras.Model) -> None:
        saved = self._classifier
        super().set_model(keras.Model(saved.input, saved.output, name=saved.name))

    def set_aside(self, path: Path) -> None:
        """Copy the file to `path`, from where `take_back` returns it; nothing if there is none yet."""
        if self.kept is not None:
            write_bytes(path, self._final.read_bytes())

    def take_back(self, path: Path) -> None:
        """Replace the file by the one that was set aside, if there is one."""
        if path.is_file():
            write_bytes(self._final, path.read_bytes())

    def on_epoch_end(self, epoch, logs=None):
        # An epoch with a NaN is never saved, not even by `keep: last`.
        if not math.isfinite((logs or {}).get("loss", 0.0)):
            return
        if self._keeps_best and self.kept is not None:
            before = self._history.rows[self.kept - 1]  # the rows are saved and restored
            if rank_of(logs, self.monitor) < rank_of(before, self.monitor):
                return
        with replacing(self._final, self._temporary, durable=True):
            super().on_epoch_end(epoch, logs)
        self.kept = epoch + 1


def rank_of(metrics: Mapping[str, float], monitor: str) -> list[float]:
    """Return the monitored metric and val_loss of an epoch, each negated if lower is better; the higher list is better."""
    values = (metrics[key] if direction(key) == "max" else -metrics[key] for key in (monitor, "val_loss"))
    return [-math.inf if math.isnan(value) else float(value) for value in values]


class StopAtNonFiniteLoss(keras.callbacks.Callback):
    """Stop at the first loss that is NaN or infinite.

    `position` is the epoch, and the first and the last step of the call in which it was found, all from 1; or None.
    """

    def __init__(self):
        super().__init__()
        self.position: tuple[int, int, int] | None = None
        self._epoch = 0

    def on_epoch_begin(self, epoch, logs=None):
        self._epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        if self.position is None and not math.isfinite(logs["loss"]):
            self.position = self._epoch + 1, batch + 2 - self.model.steps_per_execution, batch + 1
            self.model.stop_training = True


class History(keras.callbacks.Callback):
    """The history: one row per epoch; `write` receives all rows after each epoch.

    A row has the epoch, the optimizer's steps so far, the seconds since the start, the learning rate of the epoch's last
    step, and every metric.
    """

    def __init__(self, clock: Clock, write: Callable[[list[dict[str, float]]], None]):
        super().__init__()
        self.rows: list[dict[str, float]] = []
        self._clock, self._write = clock, write

    def on_epoch_end(self, epoch, logs=None):
        metrics = {name: float(value) for name, value in (logs or {}).items() if name != "learning_rate"}
        row = {
            "epoch": epoch + 1,
            "step": steps_done(self.model.optimizer),
            "seconds": round(self._clock.seconds(), 3),
            "learning_rate": last_learning_rate(self.model.optimizer),
        }
        self.rows.append(row | metrics)
        self._write(self.rows)


class TensorBoard(keras.callbacks.TensorBoard):
    """Keras's TensorBoard with the learning rate of the history; Keras's own is that of the next step."""

    def __init__(self, folder: Path, history: History):
        super().__init__(folder, write_graph=False, profile_batch=0)
        self._history = history

    def on_train_batch_end(self, batch, logs=None):
        """Write nothing: Keras's method prepares values of each step and drops them, at a twentieth of a small step."""

    def _collect_learning_rate(self, logs):
        return {**logs, "learning_rate": self._history.rows[-1]["learning_rate"]}


def plateau_callbacks(training: Training) -> list[keras.callbacks.Callback]:
    """Return ReduceLROnPlateau and EarlyStopping, each if the experiment has it."""
    callbacks: list[keras.callbacks.Callback] = []
    if (plateau := training.reduce_lr_on_plateau) is not None:
        options = {"patience": plateau.patience, "factor": plateau.factor, "min_lr": plateau.min_learning_rate}
        monitored = {"monitor": plateau.monitor, "mode": direction(plateau.monitor)}
        callbacks.append(keras.callbacks.ReduceLROnPlateau(**monitored, **options))
    if (stopping := training.early_stopping) is not None:
        monitored = {"monitor": stopping.monitor, "mode": direction(stopping.monitor)}
        callbacks.append(keras.callbacks.EarlyStopping(**monitored, patience=stopping.patience))
    return callbacks
