"""The checkpoint folder: a model and its sidecars, enough to predict on raw files with no other input."""

from __future__ import annotations

import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from kerasexp.config.data import Preprocessing
from kerasexp.errors import Problem, UserError
from kerasexp.runs import write_json

if TYPE_CHECKING:
    import keras

MODEL, CLASSES, PREPROCESSING, CALIBRATION = "model.keras", "classes.json", "preprocessing.json", "calibration.json"
MEMBERS = {"metadata.json", "config.json", "model.weights.h5"}


@dataclass(frozen=True)
class Checkpoint:
    """A model with what it needs to read pictures and to name what it sees in them, and its temperature if it has one."""

    model: keras.Model
    class_names: list[str]
    folders: dict[str, str]
    preprocessing: Preprocessing
    temperature: float | None


def write_sidecars(folder: Path, class_names: list[str], folders: dict[str, str], preprocessing: Preprocessing) -> None:
    """Write `classes.json` and `preprocessing.json` beside the model."""
    write_json(folder / CLASSES, {"class_names": class_names, "folders": folders})
    write_json(folder / PREPROCESSING, preprocessing.model_dump(mode="json"))


def write_temperature(folder: Path, temperature: float) -> None:
    """Write the temperature that was fitted on val, so that calibrated figures can be had on other data as well."""
    write_json(folder / CALIBRATION, {"temperature": temperature})


def find_checkpoint(path: Path) -> Path:
    """Return the checkpoint folder that is meant by a folder, a run directory, or a `model.keras` file.

    Raises:
        UserError: there is none.
    """
    candidates = [path, path / "checkpoint", path.parent if path.name == MODEL else path]
    for folder in candidates:
        if (folder / MODEL).is_file():
            missing = [name for name in (CLASSES, PREPROCESSING) if not (folder / name).is_file()]
            if missing:
                raise UserError(
                    Problem(f"has no {' and no '.join(missing)} beside {MODEL}, so it is no checkpoint", str(folder))
                )
            return folder
    reason = (
        "no such file or folder"
        if not path.exists()
        else f"is no checkpoint: a folder with {MODEL}, {CLASSES} and {PREPROCESSING}"
    )
    raise UserError(Problem(reason, str(path)))


def load_checkpoint(path: Path) -> Checkpoint:
    """Load a checkpoint for inference, with Keras's safe mode: no code of the file's own is run.

    Raises:
        UserError: it is no checkpoint, or its parts do not fit each other.
    """
    folder = find_checkpoint(path)
    classes = _read_json(folder / CLASSES)
    names, folders = classes.get("class_names"), classes.get("folders", {})
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names) or not isinstance(folders, dict):
        raise UserError(Problem("holds no list of class names", str(folder / CLASSES)))
    try:
        preprocessing = Preprocessing.model_validate(_read_json(folder / PREPROCESSING))
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"]))
        raise UserError(Problem(first["msg"], str(folder / PREPROCESSING), key)) from None
    model = _load_model(folder / MODEL)
    expected = (None, *preprocessing.size, preprocessing.channels), (None, len(names))
    if (model.input_shape, model.output_shape) != expected:
        raise UserError(
            Problem(
                f"takes {model.input_shape} and gives {model.output_shape}; its sidecars say {expected[0]} and {expected[1]}",
                str(folder / MODEL),
            )
        )
    return Checkpoint(model, names, folders, preprocessing, _temperature(folder / CALIBRATION))


def _temperature(path: Path) -> float | None:
    """Return the temperature beside the model; None for a model that has none, which predicts all the same."""
    if not path.is_file():
        return None
    value = _read_json(path).get("temperature")
    if not isinstance(value, int | float) or not 0 < value < float("inf"):
        raise UserError(Problem(f"temperature is {value!r}, and must be a number above 0", str(path)))
    return float(value)


def _load_model(path: Path) -> keras.Model:
    if not zipfile.is_zipfile(path):
        raise UserError(Problem("is no Keras model: it is not a zip archive", str(path)))
    with zipfile.ZipFile(path) as archive:
        missing = MEMBERS - set(archive.namelist())
    if missing:
        raise UserError(Problem(f"is no Keras model: it lacks {', '.join(sorted(missing))}", str(path)))
    import keras

    try:
        return keras.models.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # Keras raises whatever its layers raise on a config that is not theirs
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise UserError(Problem(f"Keras cannot load it: {reason[:300]}", str(path))) from None


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(Problem(f"cannot be read as JSON: {error}", str(path))) from None
    if not isinstance(content, dict):
        raise UserError(Problem("holds no JSON object", str(path)))
    return content
