"""`predict`: classification of image files by checkpoints, with the preprocessing saved in each."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from kerasexp.config.yaml_paths import is_there
from kerasexp.data.decoding_threads import map_threads
from kerasexp.data.evaluation_batch import evaluation_batch_size
from kerasexp.data.found_images import find_images
from kerasexp.data.image_archive import open_files
from kerasexp.data.image_decoding import decode_image
from kerasexp.data.image_files import file_conversion, several_images
from kerasexp.data.image_formats import EXTENSIONS
from kerasexp.data.image_headers import START_BYTES, start_of
from kerasexp.data.preprocessing import min_side_for, preprocess
from kerasexp.data.source import BrokenImage, natural_key
from kerasexp.errors import Problem, RunError, UserError
from kerasexp.evaluation.ensemble import Ensemble, mean_of_views, view_scores
from kerasexp.evaluation.label_predictions import format_labels, label_predictions
from kerasexp.saving.checkpoint import Checkpoint, is_checkpoint
from kerasexp.storage import csv_text

# Most bytes of model input decoded at a time, so that memory does not depend on the number of images.
PORTION = 2**26
# In place of a class, for an image whose likeliest class is not probable enough.
UNKNOWN = "unknown"


@dataclass(frozen=True)
class ImageFile:
    """One file to classify, the function that reads its bytes, and the one that reads the first of them."""

    name: str
    read: Callable[[], bytes]
    head: Callable[[], bytes]

    @classmethod
    def in_memory(cls, name: str, content: bytes) -> ImageFile:
        """Return the file of a content that has been read."""
        return cls(name, lambda: content, lambda: content[:START_BYTES])

    def pixels(self, min_side: int | None, to_uint8: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        """Return the image as uint8 [height, width, 1 or 3]; raise BrokenImage or OSError if it cannot be read."""
        return decode_image(self.read(), min_side, to_uint8)


class StoredImage(Protocol):
    """An image to classify, in a file or in memory."""

    name: str

    def pixels(self, min_side: int | None, to_uint8: Callable[[np.ndarray], np.ndarray]) -> np.ndarray: ...


def image_files(paths: Sequence[Path]) -> list[ImageFile]:
    """Return the images in files, folders (with their subfolders) and zip archives.

    Raises:
        UserError: a path does not exist, is neither a file nor a folder, is a checkpoint, or has no image.
    """
    files, problems = [], []
    for path in paths:
        if is_checkpoint(path):
            message = "is a checkpoint, and images are needed here; `predict` takes further checkpoints by --with"
            problems.append(Problem(message, str(path)))
        elif not is_there(path):
            problems.append(Problem("no such file or folder", str(path)))
        elif path.is_dir() or path.suffix.lower() == ".zip":
            opened = open_files(path)
            found = find_images(opened)
            names = sorted(found.paths, key=natural_key)
            files += [
                ImageFile(f"{path}/{name}", partial(opened.read, name), partial(opened.head, name)) for name in names
            ]
            if found.others:
                print(f"not used: {path}: {found.types_text}", file=sys.stderr)
            if not names:
                problems.append(Problem(f"holds no image ({', '.join(EXTENSIONS)})", str(path)))
        elif path.is_file():
            files.append(ImageFile(str(path), path.read_bytes, partial(start_of, path)))
        else:
            problems.append(Problem("is a device, a pipe or a socket, and images are files", str(path)))
    if problems:
        raise UserError(*problems)
    return files


def predict_files(
    ensemble: Ensemble, files: list[ImageFile], top: int, threshold: float | None = None
) -> list[dict[str, Any]]:
    """Classify image files by one checkpoint or by several together.

    Args:
        ensemble: the checkpoints.
        files: the images.
        top: number of classes listed for each image.
        threshold: probability below which an image is unknown; None: that of the checkpoint, if it has one.

    Returns:
        For each readable file: `file`, `class`, `probability`, and `top`, a list of classes with probabilities. Below the
        threshold the class is `unknown`, `is_unknown` is true, and the probability that of the likeliest class. With several
        labels an image, `labels` in place of class and probability. Standard error has the unreadable files, how many images
        are unknown, and whether files have several pages or frames.

    Raises:
        UserError: a threshold is given, and the images have several labels.
        RunError: none of the files can be read.
    """
    predictions, threshold = [], reject_threshold(ensemble, threshold)
    by_name = {file.name: file for file in files}
    if note := several_images(list(by_name), lambda name: by_name[name].head(), lambda name: by_name[name].read()):
        print(note, file=sys.stderr)
    for readable, scores in image_scores(ensemble, [files] * len(ensemble.members)):
        predictions += listed_predictions(ensemble, readable, scores, top, threshold)
    if unknown := sum(prediction.get("is_unknown", False) for prediction in predictions):
        few = (
            f"{unknown:,} of {len(predictions):,} images unknown: no class has a probability of {threshold:.4g} or more"
        )
        print(f"{few}; --threshold changes it", file=sys.stderr)
    return predictions


def reject_threshold(ensemble: Ensemble, given: float | None) -> float | None:
    """Return the probability below which an image is unknown: the given one, or that of the checkpoint, if it has one.

    Raises:
        UserError: one is given, and the images have several labels.
    """
    if given is not None and ensemble.thresholds is not None:
        message = "is for one class an image; this checkpoint gives several labels, which have thresholds of their own"
        raise UserError(Problem(message, key="--threshold"))
    return ensemble.reject_threshold if given is None else given


def listed_predictions(
    ensemble: Ensemble, names: list[str], scores: np.ndarray, top: int, threshold: float | None
) -> Iterator[dict[str, Any]]:
    """Yield for each image what `predict_files` returns for it.

    Args:
        ensemble: the checkpoints.
        names: of the images.
        scores: float32 [n, classes], calibrated probabilities.
        top: number of classes listed for each image.
        threshold: probability below which an image is unknown; None: every image gets a class.
    """
    if ensemble.thresholds is None:
        return top_classes(names, scores, ensemble.class_names, top, threshold)
    return label_predictions(names, scores, ensemble.class_names, ensemble.thresholds, top)


def image_scores(ensemble: Ensemble, files: Sequence[Sequence[StoredImage]]) -> Iterator[tuple[list[str], np.ndarray]]:
    """Yield, portion by portion, the names of readable images and their calibrated probabilities, float32 [images, classes].

    Images that a member cannot read are left out, and listed on standard error.

    Args:
        ensemble: one checkpoint or several.
        files: for each member the same images, in the same order.

    Raises:
        RunError: none of the images can be read.
    """
    broken, is_any_readable = 0, False
    count = min(_portion_size(member) for member in ensemble.members)
    for start in range(0, len(files[0]), count):
        portions = [images[start : start + count] for images in files]
        made = _as_inputs(ensemble, portions)
        faults = [
            next((image for image in images if isinstance(image, BrokenImage)), None)
            for images in zip(*made, strict=True)
        ]
        for file, fault in zip(portions[0], faults, strict=True):
            if fault is not None:
                broken += 1
                print(f"left out: {file.name}: {fault}", file=sys.stderr)
        readable = [k for k, fault in enumerate(faults) if fault is None]
        if readable:
            names = [portions[0][k].name for k in readable]
            is_any_readable = True
            inputs = [np.stack([images[k] for k in readable]) for images in made]
            yield names, input_scores(ensemble, inputs, names)
    if broken and not is_any_readable:
        raise RunError(f"none of the {broken} images can be read")


def input_scores(ensemble: Ensemble, inputs: Sequence[np.ndarray], names: Sequence[str]) -> np.ndarray:
    """Return the calibrated probabilities of images, float32 [n, classes].

    Args:
        ensemble: one checkpoint or several.
        inputs: for each member the same images as its input, uint8 [n, height, width, channels].
        names: of the images.

    Raises:
        RunError: an output is not a probability; it has the name of the image.
    """
    scores = []
    for member, images in zip(ensemble.members, inputs, strict=True):
        views = (view_scores(member, view, images, names) for view in ensemble.views(member))
        scores.append(mean_of_views(views, member.multi_label))
    return ensemble.mean(scores)


def _portion_size(member: Checkpoint) -> int:
    """Return how many images a member predicts at a time, so that memory does not depend on their number."""
    shape = (*member.preprocessing.size, member.preprocessing.channels)
    return max(PORTION // math.prod(shape), evaluation_batch_size(shape))


def _as_inputs(ensemble: Ensemble, portions: Sequence[Sequence[StoredImage]]) -> list[list[np.ndarray | BrokenImage]]:
    """Return the images as input of each member; members with the same preprocessing share them."""
    made: dict[str, list[np.ndarray | BrokenImage]] = {}
    found = []
    for member, portion in zip(ensemble.members, portions, strict=True):
        key = member.input_key
        if key not in made:
            made[key] = list(preprocessed(portion, member))
        found.append(made[key])
    return found


def preprocessed(files: Sequence[StoredImage], checkpoint: Checkpoint) -> Iterator[np.ndarray | BrokenImage]:
    """Yield each image as model input, uint8 [height, width, channels], or the reason why it cannot be read."""
    yield from map_threads(lambda file: model_input(file, checkpoint), files)


def model_input(file: StoredImage, checkpoint: Checkpoint) -> np.ndarray | BrokenImage:
    """Return an image as model input, uint8 [height, width, channels], or the reason why it cannot be read."""
    preprocessing, to_uint8 = checkpoint.preprocessing, file_conversion(checkpoint.value_range)
    try:
        return preprocess(file.pixels(min_side_for(preprocessing), to_uint8), preprocessing)
    except BrokenImage as broken:
        return broken
    except OSError as error:
        return BrokenImage(f"cannot be read: {error.strerror or error}")


def top_classes(
    names: list[str], scores: np.ndarray, class_names: list[str], top: int, threshold: float | None = None
) -> Iterator[dict[str, Any]]:
    """Yield for each image its `file`, `class`, `probability` and `top`, as `predict_files` returns them."""
    order = np.argsort(-scores, axis=1, kind="stable")[:, :top]
    best = np.take_along_axis(scores, order, axis=1).astype(float)
    for name, classes, probabilities in zip(names, order.tolist(), best.tolist(), strict=True):
        listed = [
            {"class": class_names[i], "probability": round(value, 6)}
            for i, value in zip(classes, probabilities, strict=True)
        ]
        is_unknown = threshold is not None and probabilities[0] < threshold
        answer = {**listed[0], "class": UNKNOWN, "is_unknown": True} if is_unknown else listed[0]
        yield {"file": name, **answer, "top": listed}


def format_predictions(predictions: list[dict[str, Any]], format: str) -> str:
    """Return the predictions as a text table, CSV or JSON."""
    if format == "json":
        return json.dumps(predictions, indent=2, ensure_ascii=False) + "\n"
    if predictions and "labels" in predictions[0]:
        return format_labels(predictions, format)
    if format == "csv":
        count = max((len(p["top"]) for p in predictions), default=0)
        columns = [f"{key}_{k}" for k in range(1, count + 1) for key in ("class", "probability")]
        rows = [
            [p["file"], p["class"], p["probability"], *(v for t in p["top"] for v in t.values())] for p in predictions
        ]
        return csv_text(["file", "class", "probability", *columns], rows)
    width = max((len(p["file"]) for p in predictions), default=0)
    lines = (
        f"{p['file']:<{width}}  " + ("unknown: " if p.get("is_unknown") else "") + _listed(p["top"])
        for p in predictions
    )
    return "".join(line + "\n" for line in lines)


def _listed(top: list[dict[str, Any]]) -> str:
    return "  ".join(f"{found['class']} {found['probability']:.3f}" for found in top)
