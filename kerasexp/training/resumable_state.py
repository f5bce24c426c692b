"""All that an unfinished training depends on, on disk: a run that was killed ends with the weights of one that was not.

That is possible because the rest follows from the experiment: the order of the images and their augmentation are drawn
from (seed, epoch), and the arithmetic is deterministic.
"""

from __future__ import annotations

import json
import time
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np

from kerasexp.console import Console
from kerasexp.errors import RunError
from kerasexp.storage import write_with
from kerasexp.training.clock import Clock
from kerasexp.training.devices import value_of
from kerasexp.training.gradient_flow import GradientFlow
from kerasexp.training.interruption import StopRequest

KEPT = 2
UNREADABLE = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error)


class TrainingState(keras.callbacks.Callback):
    """Saves the state after each epoch, every so many minutes and when asked to stop; and takes it up again.

    It comes last among the callbacks, so that it finds them done with their part. `begin` is the epoch and the step, both
    counted from 0, at which the training goes on; `over` says that there is nothing left to do.

    Args:
        folder: where the states lie, the two newest of them.
        model: compiled, its optimizer built.
        remembered: callbacks by name, and which of their attributes have to be kept.
        flow: the noted gradients.
        clock: the training's.
        epochs: how many are asked for.
        minutes: how often to save within an epoch.
        stop: tells when to save and end.
    """

    def __init__(
        self,
        folder: Path,
        model: keras.Model,
        remembered: Mapping[keras.callbacks.Callback, tuple[str, ...]],
        flow: GradientFlow,
        clock: Clock,
        epochs: int,
        minutes: float,
        stop: StopRequest,
    ):
        super().__init__()
        self.begin, self.over = (0, 0), False
        self._folder, self._trained, self._flow, self._clock = folder, model, flow, clock
        self._remembered = {type(callback).__name__: (callback, names) for callback, names in remembered.items()}
        self._epochs, self._minutes, self._stop = epochs, minutes, stop
        self._about: dict[str, Any] | None = None
        self._metrics: list[np.ndarray] = []
        self._saved_at = time.monotonic()
        self._epoch = 0

    def take_up(self, console: Console) -> None:
        """Restore the newest state that is whole, where there is one, and start the clock.

        Raises:
            RunError: the state is of another model.
        """
        for path in states(self._folder):
            try:
                with np.load(path, allow_pickle=False) as file:
                    arrays = {name: file[name] for name in file.files}
                about = json.loads(arrays.pop("about").tobytes())
            except UNREADABLE as error:
                console.line(f"{path}: left out, it cannot be read: {error}")
                continue
            self._restore(path, arrays, about)
            break
        self._clock.start(0.0 if self._about is None else self._about["seconds"])

    def finish(self) -> None:
        """Save the end of the training, which more epochs may go on from; keep that state alone."""
        if not self.over:
            self._save(self._epoch + 1, 0, over=self._trained.stop_training)
        for path in states(self._folder)[1:]:
            path.unlink(missing_ok=True)

    def on_train_begin(self, logs=None):
        # Keras's callbacks begin anew here.
        self._restore_callbacks()
        if self.begin[1]:
            self._skip(self.begin[1])

    def on_epoch_begin(self, epoch, logs=None):
        self._epoch = epoch
        if epoch > self.begin[0]:
            self._save(epoch, 0)
            self._stop.raise_if_asked()
        elif self.begin[1]:
            # The epoch goes on in its middle, and so do the figures that it adds up; Keras makes their variables late.
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
        if time.monotonic() - self._saved_at > 60 * self._minutes:
            self._save(self._epoch, step)

    def _skip(self, steps: int) -> None:
        """Let Keras count the steps that were done before, without doing them: its `fit` can begin at epochs only."""
        train, left = self._trained.train_function, steps

        def train_or_skip(iterator):
            nonlocal left
            if left == 0:
                return train(iterator)
            left -= 1
            return self._trained.get_metrics_result()

        self._trained.train_function = train_or_skip

    def _variables(self) -> list[Any]:
        """The model's variables, random states included, and the optimizer's, each once and in a fixed order."""
        optimizer = self._trained.optimizer
        found = [*self._trained.variables, *optimizer.variables]
        metrics = {id(variable) for variable in self._metric_variables()}
        return [v for v in {id(v): v for v in found}.values() if id(v) not in metrics]

    def _metric_variables(self) -> list[Any]:
        return [variable for metric in self._trained.metrics for variable in metric.variables]

    def _save(self, epoch: int, step: int, over: bool = False) -> None:
        about = {
            "epoch": epoch,
            "step": step,
            "epochs": self._epochs,
            "over": over,
            "seconds": self._clock.seconds(),
            "callbacks": {
                name: {key: _plain(getattr(callback, key)) for key in keys}
                for name, (callback, keys) in self._remembered.items()
            },
        }
        arrays = {
            "about": np.frombuffer(json.dumps(about).encode(), np.uint8),
            **{f"variable/{i}": value_of(v) for i, v in enumerate(self._variables())},
            **{f"metric/{i}": value_of(v) for i, v in enumerate(self._metric_variables() if step else [])},
            **{f"gradients/{name}": value for name, value in self._flow.remember().items()},
        }
        self._folder.mkdir(exist_ok=True)
        path = self._folder / f"{epoch:06d}-{step:09d}.npz"
        write_with(path, lambda file: np.savez(file, **arrays), durable=True)
        for old in states(self._folder)[KEPT:]:
            old.unlink(missing_ok=True)
        self._saved_at = time.monotonic()

    def _restore(self, path: Path, arrays: dict[str, np.ndarray], about: dict[str, Any]) -> None:
        variables = self._variables()
        values = [arrays[f"variable/{i}"] for i in range(sum(name.startswith("variable/") for name in arrays))]
        if [v.shape for v in values] != [tuple(v.shape) for v in variables]:
            raise RunError(f"{path}: is the state of another model")
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)
        self._metrics = [arrays[f"metric/{i}"] for i in range(sum(name.startswith("metric/") for name in arrays))]
        self._flow.recall(**{key: arrays[f"gradients/{key}"] for key in ("samples", "every", "broke")})
        self._about, self.begin = about, (about["epoch"], about["step"])
        self.over = about["over"] or about["epoch"] >= self._epochs
        self._restore_callbacks()

    def _restore_callbacks(self) -> None:
        for name, (callback, _) in self._remembered.items():
            for key, value in ({} if self._about is None else self._about["callbacks"].get(name, {})).items():
                setattr(callback, key, value)


def states(folder: Path) -> list[Path]:
    """Return the saved states, the newest first."""
    return sorted(folder.glob("*.npz"), reverse=True) if folder.is_dir() else []


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value
