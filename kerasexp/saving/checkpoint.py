"""The checkpoint folder: a model with its sidecars, all that is needed to predict on image files."""

from __future__ import annotations

import os
import re
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from pydantic import Field, ValidationError

from kerasexp.backend import import_tensorflow, keep_freed_memory
from kerasexp.config.augmentation_section import Flip
from kerasexp.config.data_section import Preprocessing, ValuePair
from kerasexp.config.shipped_files import shipped_checkpoints
from kerasexp.custom.code_copies import FOLDER as CODE_FOLDER
from kerasexp.data.value_range import ValueRange
from kerasexp.errors import Problem, UserError, closest
from kerasexp.saving.checkpoint_code import CODE, build_by_code, needs_code
from kerasexp.saving.fitted_values import CALIBRATION, THRESHOLDS, Calibration, read_calibration, read_thresholds
from kerasexp.saving.image_memory import most_at_once
from kerasexp.saving.litert_graph import LiteRtModel, graph_file, keep_graph, load_graph
from kerasexp.saving.saved_files import CARD, RAW_MODEL, RunFiles, numbered_folders
from kerasexp.saving.sidecar_json import read_sidecar
from kerasexp.storage import write_json

if TYPE_CHECKING:
    import keras

MODEL, CLASSES, PREPROCESSING, AUGMENTATION = "model.keras", "classes.json", "preprocessing.json", "augmentation.json"
# All that a checkpoint folder may hold; what else lies in it is the user's own.
CONTENTS = (MODEL, RAW_MODEL, CLASSES, PREPROCESSING, AUGMENTATION, CALIBRATION, THRESHOLDS, CODE, CODE_FOLDER, CARD)
# Terminals interpret control characters: the name of a class could rewrite the screen.
CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")
# Other formats of models. Most of them can contain code that runs when they are opened.
OTHERS = {
    ".h5": "a model in HDF5", ".hdf5": "a model in HDF5", ".pkl": "a pickle", ".pickle": "a pickle",
    ".joblib": "a pickle", ".pt": "a model of PyTorch", ".pth": "a model of PyTorch", ".ckpt": "a TensorFlow checkpoint",
    ".pb": "a TensorFlow program", ".onnx": "an ONNX model", ".tflite": "a TensorFlow Lite model", ".npz": "NumPy arrays",
}  # fmt: skip


class StoredPreprocessing(Preprocessing):
    """The content of `preprocessing.json`.

    `range` has the stored values that became 0..255 in training, of arrays or of files; null: 0..255. `stored_size` is the
    height and width of the stored images of training; null if they have several sizes or it is not known.
    """

    range: ValuePair | None = None
    range_of: Literal["arrays", "files"] = "files"
    stored_size: Annotated[list[Annotated[int, Field(ge=1)]], Field(min_length=2, max_length=2)] | None = None


@dataclass(frozen=True)
class Checkpoint:
    """A model and what comes with it.

    Attributes:
        model: from uint8 images to probabilities. One that was loaded for predictions alone may be run by LiteRT, and then has
            no layers.
        class_names: in the order of the outputs.
        folders: class of each stored label.
        preprocessing: from stored images to those of the model.
        temperature: None if there is none.
        value_range: the stored values that became 0..255 in training; None for 0..255.
        thresholds: float64 [classes], the probabilities from which an image has a label; None with one label an image.
        flip: how training mirrored its images, as `data.augmentation.flip`.
        stored_size: height and width of the stored images of training; None if there are several or it is not known.
        reject_threshold: the calibrated probability below which an image is unknown; None if every image gets a class.
    """

    model: keras.Model | LiteRtModel
    class_names: list[str]
    folders: dict[str, str]
    preprocessing: Preprocessing
    temperature: float | None
    value_range: ValueRange | None = None
    thresholds: np.ndarray | None = None
    flip: Flip = False
    stored_size: tuple[int, int] | None = None
    reject_threshold: float | None = None

    @property
    def input_key(self) -> str:
        """What checkpoints have in common whose inputs are made from images in the same way."""
        return f"{self.preprocessing!r} {self.value_range!r}"

    @property
    def multi_label(self) -> bool:
        """Whether an image may have several labels."""
        return self.thresholds is not None

    @cached_property
    def images_at_once(self) -> int:
        """How many images the network may take at a time, so that a stranger's takes little memory, too."""
        return most_at_once(self.model)


def preprocessing_as_json(
    preprocessing: Preprocessing, value_range: ValueRange | None, stored_size: tuple[int, int] | None = None
) -> dict[str, Any]:
    """Return the content of `preprocessing.json`."""
    stored = preprocessing.model_dump(mode="json")
    if value_range is not None:
        stored |= {"range": list(value_range.bounds), "range_of": value_range.of}
    return stored if stored_size is None else stored | {"stored_size": list(stored_size)}


def forget_results(folder: Path) -> None:
    """Delete what was fitted, made or written for an earlier model in a checkpoint folder."""
    for name in (RAW_MODEL, CALIBRATION, THRESHOLDS, CARD):
        (folder / name).unlink(missing_ok=True)


def write_sidecars(
    folder: Path,
    class_names: list[str],
    folders: dict[str, str],
    preprocessing: Preprocessing,
    value_range: ValueRange | None = None,
    multi_label: bool = False,
    flip: Flip = False,
) -> None:
    """Write `classes.json` and `preprocessing.json` beside the model, and `augmentation.json` if training mirrors images.

    Raises:
        UserError: the class names are such that `read_classes` would refuse them.
    """
    _check_classes(class_names, folders, str(folder / CLASSES))
    several = {"multi_label": True} if multi_label else {}
    write_json(folder / CLASSES, {"class_names": class_names, "folders": folders, **several})
    write_json(folder / PREPROCESSING, preprocessing_as_json(preprocessing, value_range))
    if flip:
        write_json(folder / AUGMENTATION, {"flip": flip})


def write_stored_size(folder: Path, size: tuple[int, int]) -> None:
    """Add the height and width that all stored images of training have to `preprocessing.json`."""
    write_json(folder / PREPROCESSING, read_sidecar(folder / PREPROCESSING) | {"stored_size": list(size)})


def find_checkpoint(path: Path) -> Path:
    """Return the checkpoint folder for a path: the folder itself, a run directory, or a `model.keras` file.

    A folder of numbered runs, such as `runs/part2_random`, stands for the newest that has finished, and the name of a shipped
    checkpoint for it where there is no checkpoint of that name here.

    Raises:
        UserError: there is no checkpoint.
    """
    for folder in _places(path):
        if (folder / MODEL).is_file():
            missing = [name for name in (CLASSES, PREPROCESSING) if not (folder / name).is_file()]
            if missing:
                message = f"has no {' and no '.join(missing)} beside {MODEL}, so it is not a checkpoint"
                raise UserError(Problem(message, str(folder)))
            return folder
    if str(path) in (shipped := shipped_checkpoints()):
        return shipped[str(path)]
    raise UserError(Problem(_why_not(path), str(path)))


def is_checkpoint(path: Path) -> bool:
    """Return whether `find_checkpoint` finds a checkpoint at a path."""
    if not os.path.exists(path):  # Path.exists raises for a name that is too long
        return str(path) in shipped_checkpoints()
    return any((folder / MODEL).is_file() and (folder / CLASSES).is_file() for folder in _places(path))


def _places(path: Path) -> Iterator[Path]:
    yield from (path, RunFiles(path).checkpoint, *([path.parent] if path.name == MODEL else []))
    runs = map(RunFiles, numbered_folders(path))
    yield from (run.checkpoint for run in runs if run.read_manifest().get("status") == "finished")


def _why_not(path: Path) -> str:
    if not path.exists():
        shipped = shipped_checkpoints()
        return f"no such file or folder{closest(path.name, shipped)}; shipped checkpoints: {', '.join(shipped)}"
    accepted = f"a folder with {MODEL}, {CLASSES} and {PREPROCESSING}, a run's directory, or a folder of numbered runs"
    other = "a SavedModel" if (path / "saved_model.pb").exists() else OTHERS.get(path.suffix.lower())
    if other is not None:
        return f"is {other}, which is not accepted: such files can run code or lack information. Accepted: {accepted}"
    return f"is not a checkpoint; accepted: {accepted}"


def load_checkpoint(path: Path, by_litert: bool = False) -> Checkpoint:
    """Load a checkpoint for inference. It may come from anyone: no code from it is run, and its memory use is limited.

    The exception is a checkpoint with `code.json`, whose code must have been trusted; see `approve_checkpoint`.

    Where its outputs are logits, a softmax is added and announced on standard error.

    Args:
        path: as of `find_checkpoint`.
        by_litert: whether LiteRT may run the network, without TensorFlow, because its probabilities are wanted and not its
            layers; see `is_quicker`. Its graph is made the first time; where it cannot, Keras runs the network. The
            probabilities differ by at most 1e-4.

    Raises:
        UserError: it is not a checkpoint, its parts do not fit each other, or the model is not one of allowed layers whose
            outputs are probabilities.
    """
    folder = find_checkpoint(path)
    names, folders = read_classes(folder)
    stored = read_preprocessing(folder)
    preprocessing = Preprocessing.model_validate(stored.model_dump(include=set(Preprocessing.model_fields)))
    value_range = None if stored.range is None else ValueRange(*stored.range, "detected", stored.range_of)
    size = None if stored.stored_size is None else tuple(stored.stored_size)
    thresholds = read_thresholds(folder, names) if is_multi_label(folder) else None
    calibration = read_calibration(folder) if thresholds is None else Calibration()
    if needs_code(folder):
        import_tensorflow()
        model = build_by_code(folder, folder / MODEL, preprocessing, names, thresholds is not None)
    else:
        model = _network(folder / MODEL, names, thresholds is not None, by_litert)
    expected = (None, *preprocessing.size, preprocessing.channels), (None, len(names))
    if (model.input_shape, model.output_shape) != expected:
        message = f"maps {model.input_shape} to {model.output_shape}; its sidecars say {expected[0]} to {expected[1]}"
        raise UserError(Problem(message, str(folder / MODEL)))
    flip, temperature, threshold = _flip(folder / AUGMENTATION), calibration.temperature, calibration.reject_threshold
    return Checkpoint(model, names, folders, preprocessing, temperature, value_range, thresholds, flip, size, threshold)


def _network(path: Path, class_names: list[str], multi_label: bool, by_litert: bool) -> keras.Model | LiteRtModel:
    file = graph_file(path, class_names, multi_label) if by_litert else None
    if file is not None and (graph := load_graph(file)) is not None:
        keep_freed_memory()
        return graph
    from kerasexp.saving.model_file import load_classifier

    import_tensorflow()
    model, added = load_classifier(path, class_names, multi_label)
    if added is not None:
        print(f"{path}: {added}", file=sys.stderr)
    elif file is not None and file == graph_file(path, class_names, multi_label):  # it was not replaced meanwhile
        keep_graph(model, file)
    return model


def read_preprocessing(folder: Path) -> StoredPreprocessing:
    """Return the preprocessing of a checkpoint folder.

    Raises:
        UserError: it cannot be read.
    """
    try:
        return StoredPreprocessing.model_validate(read_sidecar(folder / PREPROCESSING))
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"]))
        raise UserError(Problem(first["msg"], str(folder / PREPROCESSING), key)) from None


def read_classes(folder: Path) -> tuple[list[str], dict[str, str]]:
    """Return the class names of a checkpoint folder, and the class of each stored label.

    Raises:
        UserError: they cannot be read.
    """
    classes = read_sidecar(folder / CLASSES)
    names, folders = classes.get("class_names"), classes.get("folders", {})
    _check_classes(names, folders, str(folder / CLASSES))
    return names, folders


def is_multi_label(folder: Path) -> bool:
    """Return whether the classes of a checkpoint folder say that an image may have several labels.

    Raises:
        UserError: they cannot be read.
    """
    found = read_sidecar(folder / CLASSES).get("multi_label", False)
    if not isinstance(found, bool):
        raise UserError(Problem(f"is {found!r:.100}; it must be true or false", str(folder / CLASSES), "multi_label"))
    return found


def _check_classes(names: Any, folders: Any, file: str) -> None:
    """Raise UserError unless the names are strings, each given once, and the folders map strings to strings.

    A folder's class may be missing from the names: `labels.select` trains without some classes, whose images are skipped.
    """
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        raise UserError(Problem("is not a list of class names", file, "class_names"))
    name, times = Counter(names).most_common(1)[0]
    if times > 1:
        raise UserError(Problem(f"names the class {name!r:.100} {times} times", file, "class_names"))
    if not isinstance(folders, dict) or not all(isinstance(name, str) for name in folders.values()):
        raise UserError(Problem("is not a map of folders to class names", file, "folders"))
    for name in (*names, *folders, *folders.values()):
        if CONTROL.search(name):
            message = f"the name {name!r:.100} has control characters, which a terminal would interpret"
            raise UserError(Problem(message, file))


def experiment_file(folder: Path) -> Path:
    """Return the experiment of a checkpoint's run; there is no such file if the folder is not in a run directory."""
    return folder.resolve().parent / "experiment.yaml"


def _flip(path: Path) -> Flip:
    """Return how training mirrored its images; not at all if there is no file."""
    if not path.is_file():
        return False
    found = read_sidecar(path).get("flip", False)
    if not isinstance(found, bool) and found not in (allowed := ("horizontal", "vertical", "both")):
        raise UserError(Problem(f"is {found!r:.100}; allowed: true, false, {', '.join(allowed)}", str(path), "flip"))
    return found
