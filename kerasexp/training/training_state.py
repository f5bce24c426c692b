"""The state of an unfinished training on disk: a killed and resumed run ends with the same weights as an unbroken one.

Everything that is not saved follows from the experiment: the order of the images and their augmentation are drawn from
(seed, epoch), and the arithmetic is deterministic.
"""

from __future__ import annotations

import json
import time
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from kerasexp.config.training_section import Training
from kerasexp.console import Console
from kerasexp.errors import RunError
from kerasexp.storage import write_with
from kerasexp.training import hooks
from kerasexp.training.callbacks import AtomicCheckpoint, History
from kerasexp.training.custom_callbacks import saved_attributes
from kerasexp.training.early_validation import EarlyCurve
from kerasexp.training.gradient_flow import GradientFlow
from kerasexp.training.interruption import StopRequest
from kerasexp.training.training_clock import Clock
from kerasexp.training.training_devices import value_of
from kerasexp.training.training_result import TimeLimit
from kerasexp.training.weight_average import WeightAverage

KEPT_FILES = 2
ROWS, COUNTS = "rows", ("epoch", "step")
# The attributes of callbacks that a state holds; `rows` are saved as a table of numbers, for they may be thousands.
SAVED_ATTRIBUTES = {
    AtomicCheckpoint: ("kept",),
    EarlyCurve: (ROWS,),
    History: (ROWS,),
    keras.callbacks.EarlyStopping: ("wait", "best", "best_epoch", "stopped_epoch"),
    keras.callbacks.ReduceLROnPlateau: ("wait", "best", "cooldown_counter"),
}
UNREADABLE = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error)


class TrainingState(keras.callbacks.Callback):
    """Saves the state of a training after each epoch, at intervals within it and before stopping; and restores it.

    It is the last callback, so that the others have finished each event before it. `begin` is the epoch and step, both
    from 0, at which the training continues; `is_over` says that nothing is left to train; `time_limit` says where
    `training.max_minutes` stopped it, which is as a signal stops it, but that the training ends in order.

    Args:
        folder: holds the states; the two newest are kept.
        model: compiled, its optimizer built.
        callbacks: all others of the training.
        flow: the recorded gradients.
        clock: the clock of the training.
        training: its `epochs`, `max_minutes`, and `save_minutes`, the interval of saving within an epoch.
        stop: whether to save and stop.
    """

    def __init__(
        self,
        folder: Path,
        model: keras.Model,
        callbacks: Sequence[keras.callbacks.Callback],
        flow: GradientFlow,
        clock: Clock,
        training: Training,
        stop: StopRequest,
    ):
        super().__init__()
        self.begin, self.is_over = (0, 0), False
        self.time_limit: TimeLimit | None = None
        self._folder, self._trained, self._flow, self._clock = folder, model, flow, clock
        self._callbacks = callbacks_by_name(callbacks)
        self._averages = [callback for callback in callbacks if isinstance(callback, WeightAverage)]
        self._training, self._stop = training, stop
        self._restored: dict[str, Any] | None = None
        self._metrics: list[np.ndarray] = []
        self._saved_at = time.monotonic()
        self._epoch = 0

    def restore(self, console: Console) -> None:
        """Restore the newest undamaged state, if there is one, and start the clock.

        Raises:
            RunError: the state belongs to another model.
        """
        for path in states(self._folder):
            try:
                with np.load(path, allow_pickle=False) as file:
                    arrays = {name: file[name] for name in file.files}
                about = json.loads(arrays.pop("about").tobytes())
            except UNREADABLE as error:
                console.warning(f"{path}: skipped, it cannot be read: {error}")
                continue
            self._restore(path, arrays, about)
            break
        self._clock.start(0.0 if self._restored is None else self._restored["seconds"])

    def finish(self) -> None:
        """Save the final state, from which more epochs can continue, and delete the others."""
        if not self.is_over and self.time_limit is None:
            self._save(self._epoch + 1, 0, is_over=self._trained.stop_training)
        _remove(states(self._folder)[1:])

    def on_train_begin(self, logs=None):
        # Keras's callbacks reset themselves in this event.
        self._restore_callbacks()
        if self.begin[1]:
            hooks.skip_steps(self._trained, self.begin[1])

    def on_epoch_begin(self, epoch, logs=None):
        self._epoch = epoch
        if epoch > self.begin[0]:
            self._save(epoch, 0)
            self._stop.raise_if_asked()
        elif self.begin[1]:
            # The epoch continues in its middle, and so do its metrics. Keras creates their variables at their first use.
            outputs = keras.tree.map_structure(
                lambda output: np.ones((1, *output.shape[1:]), np.float32), self._trained.output
            )
            self._trained.compute_metrics(None, np.zeros(1), outputs)
            for variable, value in zip(self._metric_variables(), self._metrics, strict=True):
                variable.assign(value)

    def on_train_batch_end(self, batch, logs=None):
        step = batch + 1
        if self._epoch == self.begin[0] and step <= self.begin[1]:
            return
        if self._stop.signal is not None:
            self._save(self._epoch, step)
            self._stop.raise_if_asked()
        if self._is_time_up(step):
            self._save(self._epoch, step)
            # The incomplete epoch is validated, and may be kept. A process that continues it returns to before that.
            if (checkpoint := self._callbacks.get(AtomicCheckpoint.__name__)) is not None:
                checkpoint.set_aside(_aside(states(self._folder)[0]))
            self.time_limit = TimeLimit(
                self._training.max_minutes, self._epoch + 1, step, self._training.epochs, self.params["steps"]
            )
            self._trained.stop_training = True
            return
        if time.monotonic() - self._saved_at > 60 * self._training.save_minutes:
            self._save(self._epoch, step)

    def _is_time_up(self, step: int) -> bool:
        """Return whether the limit of time is reached with something left to train."""
        limit = self._training.max_minutes
        is_last = step == self.params["steps"] and self._epoch + 1 == self._training.epochs
        is_stopped = self._trained.stop_training  # a loss that is not finite
        return limit is not None and self._clock.seconds() >= 60 * limit and not (is_last or is_stopped)

    def _variables(self) -> list[Any]:
        """Return the variables of model, random generators, optimizer and average, each once and in a fixed order."""
        optimizer = self._trained.optimizer
        averages = [variable for average in self._averages for variable in average.variables]
        found = [*self._trained.variables, *optimizer.variables, *averages]
        metrics = {id(variable) for variable in self._metric_variables()}
        return [v for v in {id(v): v for v in found}.values() if id(v) not in metrics]

    def _metric_variables(self) -> list[Any]:
        return [variable for metric in self._trained.metrics for variable in metric.variables]

    def _save(self, epoch: int, step: int, is_over: bool = False) -> None:
        ours = {name: callback for name, callback in self._callbacks.items() if type(callback) in SAVED_ATTRIBUTES}
        tables = {name: rows for name, callback in ours.items() if (rows := getattr(callback, ROWS, None))}
        about = {
            "epoch": epoch,
            "step": step,
            "over": is_over,
            "seconds": self._clock.seconds(),
            "callbacks": {
                name: {
                    key: _plain(getattr(callback, key)) for key in _saved(callback) if key != ROWS or name not in ours
                }
                for name, callback in self._callbacks.items()
            },
            "columns": {name: list(rows[0]) for name, rows in tables.items()},
        }
        arrays = {
            "about": np.frombuffer(json.dumps(about).encode(), np.uint8),
            **{f"variable/{i}": value_of(v) for i, v in enumerate(self._variables())},
            **{f"metric/{i}": value_of(v) for i, v in enumerate(self._metric_variables() if step else [])},
            **{f"gradients/{name}": value for name, value in self._flow.state().items()},
            **{f"rows/{name}": np.array([list(row.values()) for row in rows]) for name, rows in tables.items()},
        }
        self._folder.mkdir(exist_ok=True)
        path = self._folder / f"{epoch:06d}-{step:09d}.npz"
        write_with(path, lambda file: np.savez(file, **arrays), durable=True)
        _remove(states(self._folder)[KEPT_FILES:])
        self._saved_at = time.monotonic()

    def _restore(self, path: Path, arrays: dict[str, np.ndarray], about: dict[str, Any]) -> None:
        variables = self._variables()
        values = [arrays[f"variable/{i}"] for i in range(sum(name.startswith("variable/") for name in arrays))]
        if [v.shape for v in values] != [tuple(v.shape) for v in variables]:
            raise RunError(f"{path}: belongs to another model")
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)
        self._metrics = [arrays[f"metric/{i}"] for i in range(sum(name.startswith("metric/") for name in arrays))]
        self._flow.restore(**{key: arrays[f"gradients/{key}"] for key in self._flow.state()})
        for name, columns in about.get("columns", {}).items():
            about["callbacks"][name][ROWS] = _rows(columns, arrays[f"rows/{name}"])
        self._restored, self.begin = about, (about["epoch"], about["step"])
        if (checkpoint := self._callbacks.get(AtomicCheckpoint.__name__)) is not None:
            checkpoint.take_back(_aside(path))
        self.is_over = about["over"] or about["epoch"] >= self._training.epochs
        self._restore_callbacks()

    def _restore_callbacks(self) -> None:
        for name, callback in self._callbacks.items():
            for key, value in ({} if self._restored is None else self._restored["callbacks"].get(name, {})).items():
                setattr(callback, key, value)


def callbacks_by_name(callbacks: Sequence[keras.callbacks.Callback]) -> dict[str, keras.callbacks.Callback]:
    """Return the callbacks of which a state holds something, by name: their type, with a number for users' own classes.

    A second callback of a type has a number, too: a user's may be one of Keras's that the experiment has as well.
    """
    named: dict[str, keras.callbacks.Callback] = {}
    for number, callback in enumerate(callbacks):
        if _saved(callback):
            kind = type(callback).__name__
            is_numbered = kind in named or bool(saved_attributes(callback))
            named[f"{number}_{kind}" if is_numbered else kind] = callback
    return named


def _saved(callback: keras.callbacks.Callback) -> tuple[str, ...]:
    """Return the attributes of a callback that a state holds: of ours, or those that a user's own names."""
    return SAVED_ATTRIBUTES.get(type(callback)) or saved_attributes(callback)


def states(folder: Path) -> list[Path]:
    """Return the saved states, the newest first."""
    return sorted(folder.glob("*.npz"), reverse=True) if folder.is_dir() else []


def _rows(columns: Sequence[str], table: np.ndarray) -> list[dict[str, float]]:
    return [
        {name: int(value) if name in COUNTS else value for name, value in zip(columns, values, strict=True)}
        for values in table.tolist()
    ]


def _aside(state: Path) -> Path:
    """Return the place of the checkpoint that belongs to the state of a training that the limit of time stopped."""
    return state.with_suffix(".keras")


def _remove(paths: Sequence[Path]) -> None:
    """Remove states, with the checkpoints that belong to them."""
    for path in paths:
        path.unlink(missing_ok=True)
        _aside(path).unlink(missing_ok=True)


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value
