"""Where a training is, in `progress.json`, for whoever looks at the run directory while it trains."""

from __future__ import annotations

import math
import os
import time
from collections import deque
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import keras

from kerasexp.errors import KerasexpError
from kerasexp.storage import write_json

# The file is written at most so often; a step of a small network takes a thousandth of it.
SECONDS = 1.0
# Steps a second are those of the last seconds.
RECENT_SECONDS = 20.0
# Points of the running epoch's curve; of more, every other one is dropped.
MOST_POINTS = 240


class LiveProgress(keras.callbacks.Callback):
    """Write epoch, step, speed, memory and the curve within epochs to a file, about once a second.

    Train in its `with` block, at whose end the file is removed: only a killed process leaves it. That it cannot be written,
    for example on a full disk, does not stop the training.

    Args:
        path: the file.
        epochs, steps: of the training, and of an epoch.
        batch_size: images of a step.
    """

    def __init__(self, path: Path, epochs: int, steps: int, batch_size: int):
        super().__init__()
        self._path, self._epochs, self._steps, self._batch_size = path, epochs, steps, batch_size
        self._epoch, self._written_at = 0, -math.inf
        self._recent: deque[tuple[float, int]] = deque()
        self._points: list[list[float | None]] = []
        self._keep_every, self._offered = 1, 0

    def __enter__(self) -> Self:
        self._remove()  # what a killed process has left
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._remove()

    def _remove(self) -> None:
        with suppress(OSError):
            self._path.unlink()

    def on_epoch_begin(self, epoch, logs=None):
        self._epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        now = time.monotonic()
        if now - self._written_at >= SECONDS:
            self._write(now, "training", batch + 1, logs or {})

    def on_test_begin(self, logs=None):
        now = time.monotonic()
        # Validation of less than a second, as after each epoch of small data, is not worth a file.
        if now - self._written_at >= SECONDS:
            self._write(now, "validating", self._steps, {})

    def _write(self, now: float, phase: str, step: int, logs: dict[str, Any]) -> None:
        total = self._epoch * self._steps + step
        loss, accuracy = _number(logs.get("loss")), _number(logs.get("accuracy"))
        if logs:
            self._add_point([total, loss, accuracy])
        if phase == "training":
            self._recent.append((now, total))
        while len(self._recent) > 2 and now - self._recent[0][0] > RECENT_SECONDS:
            self._recent.popleft()
        (then, before), (last, after) = (self._recent[0], self._recent[-1]) if self._recent else ((now, 0), (now, 0))
        speed = (after - before) / (last - then) if last > then else None
        content = {
            "phase": phase,
            "epoch": self._epoch + 1,
            "epochs": self._epochs,
            "step": step,
            "steps": self._steps,
            "loss": loss,
            "accuracy": accuracy,
            "steps_per_second": speed,
            "images_per_second": None if speed is None else speed * self._batch_size,
            "memory_bytes": _memory(),
            "points": self._points,
        }
        with suppress(KerasexpError):
            write_json(self._path, content)
        self._written_at = time.monotonic()

    def _add_point(self, point: list[float | None]) -> None:
        if self._offered % self._keep_every == 0:
            self._points.append(point)
        self._offered += 1
        if len(self._points) > MOST_POINTS:
            self._points, self._keep_every = self._points[::2], self._keep_every * 2


def _number(value: Any) -> float | None:
    """Return a number that JSON can hold, with the digits that a curve needs."""
    return round(float(value), 5) if value is not None and math.isfinite(value) else None


def _memory() -> int | None:
    """Return the memory of this process in bytes, where the system says so."""
    with suppress(AttributeError, OSError, ValueError, IndexError):
        return int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return None
