"""What was fitted on val, in files beside the model: temperature, threshold of an answer, thresholds of several labels."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kerasexp.errors import Problem, UserError
from kerasexp.saving.sidecar_json import read_sidecar
from kerasexp.storage import write_json

CALIBRATION, THRESHOLDS = "calibration.json", "thresholds.json"
DEFAULT_THRESHOLD = 0.5


@dataclass(frozen=True)
class Calibration:
    """The content of `calibration.json`.

    Attributes:
        temperature: divides the log probabilities; None if there is none.
        reject_threshold: the calibrated probability below which an image is unknown; None if every image gets a class.
    """

    temperature: float | None = None
    reject_threshold: float | None = None


def write_calibration(folder: Path, temperature: float, reject_threshold: float | None = None) -> None:
    """Write the temperature, and the threshold of an answer if there is one, so that they are there on other data too."""
    reject = {} if reject_threshold is None else {"reject_threshold": reject_threshold}
    write_json(folder / CALIBRATION, {"temperature": temperature, **reject})


def read_calibration(folder: Path) -> Calibration:
    """Return what is in `calibration.json`; nothing if there is no file: a model can predict without it.

    Raises:
        UserError: it cannot be read, or a value of it is not possible.
    """
    path = folder / CALIBRATION
    if not path.is_file():
        return Calibration()
    content = read_sidecar(path)
    temperature, reject = content.get("temperature"), content.get("reject_threshold")
    if not _is_number(temperature) or not 0 < temperature <= sys.float_info.max:
        raise UserError(Problem(f"temperature is {temperature!r:.100}; it must be a number above 0", str(path)))
    if reject is not None and (not _is_number(reject) or not 0 <= reject <= 1):
        raise UserError(Problem(f"reject_threshold is {reject!r:.100}; it must be from 0 to 1", str(path)))
    return Calibration(float(temperature), None if reject is None else float(reject))


def write_thresholds(folder: Path, thresholds: dict[str, float]) -> None:
    """Write the threshold of each class, for several labels an image."""
    write_json(folder / THRESHOLDS, {"thresholds": thresholds})


def read_thresholds(folder: Path, class_names: list[str]) -> np.ndarray:
    """Return the threshold of each class, float64 [classes]; 0.5 for all if there is no file.

    Raises:
        UserError: it cannot be read, or does not fit the classes.
    """
    path = folder / THRESHOLDS
    if not path.is_file():
        return np.full(len(class_names), DEFAULT_THRESHOLD)
    found = read_sidecar(path).get("thresholds")
    if not isinstance(found, dict) or found.keys() != set(class_names):
        raise UserError(Problem("does not have the classes of classes.json", str(path), "thresholds"))
    for name, value in found.items():
        if not _is_number(value) or not 0 <= value <= 1:
            raise UserError(
                Problem(f"{name!r:.100} has {value!r:.100}; it must be from 0 to 1", str(path), "thresholds")
            )
    return np.array([found[name] for name in class_names], np.float64)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
