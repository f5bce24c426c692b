"""Where a training is, by its `progress.json`, for the consoles and pages of other processes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from kerasexp.console import Position
from kerasexp.saving.json_values import number_of
from kerasexp.saving.saved_files import read_mapping

PHASES = ("training", "validating")
# More steps than a training can have, and few enough for every sum and product of them to be a number.
MOST_STEPS = 10**12


@dataclass(frozen=True)
class TrainingProgress:
    """What a training last wrote of itself; what is not known is None.

    Attributes:
        position: epoch, step and the seconds that are left at the present speed, without those of validations.
        steps_per_second: recently.
        memory_bytes: of its process.
        points: of the curve within epochs: step of the training, loss and accuracy.
    """

    position: Position
    steps_per_second: float | None
    memory_bytes: float | None
    points: list[list[float | None]]


def read_progress(file: Path) -> TrainingProgress | None:
    """Return what `progress.json` says; None if it is not there, or is not as a training writes it."""
    found = read_mapping(file)
    epoch, epochs, step, steps = counts = [found.get(key) for key in ("epoch", "epochs", "step", "steps")]
    if found.get("phase") not in PHASES or not all(type(count) is int and 0 <= count <= MOST_STEPS for count in counts):
        return None
    loss, accuracy, speed, images_per_second, memory = (
        number_of(found.get(key))
        for key in ("loss", "accuracy", "steps_per_second", "images_per_second", "memory_bytes")
    )
    left = max(epochs * steps - (epoch - 1) * steps - step, 0)
    seconds_left = number_of(left / speed) if speed is not None and speed > 0 else None
    position = Position(found["phase"], epoch, epochs, step, steps, loss, accuracy, images_per_second, seconds_left)
    return TrainingProgress(position, speed, memory, _points(found.get("points")))


def _points(found: object) -> list[list[float | None]]:
    rows = [list(map(number_of, row)) for row in found if isinstance(row, list)] if isinstance(found, list) else []
    return [row for row in rows if len(row) == 3 and row[0] is not None]
