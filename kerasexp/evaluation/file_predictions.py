"""`predict`: classification of image files by a checkpoint, with the preprocessing saved in it."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from kerasexp.config.yaml_paths import is_there
from kerasexp.data.decoding_threads import map_threads
from kerasexp.data.found_images import find_images
from kerasexp.data.image_archive import open_files
from kerasexp.data.image_decoding import EXTENSIONS, decode_image
from kerasexp.data.image_files import file_conversion
from kerasexp.data.preprocessing import min_side_for, preprocess
from kerasexp.data.source import BrokenImage, natural_key
from kerasexp.errors import Problem, RunError, UserError
from kerasexp.evaluation.label_predictions import format_labels, label_predictions
from kerasexp.evaluation.predictions import check_probabilities
from kerasexp.saving.checkpoint import Checkpoint, load_checkpoint
from kerasexp.storage import csv_text

# Most bytes of model input decoded at a time, so that memory does not depend on the number of images.
PORTION = 2**26


@dataclass(frozen=True)
class ImageFile:
    """One file to classify, and the function that reads its bytes."""

    name: str
    read: Callable[[], bytes]

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
        UserError: a path does not exist, is neither a file nor a folder, or has no image.
    """
    files, problems = [], []
    for path in paths:
        if not is_there(path):
            problems.append(Problem("no such file or folder", str(path)))
        elif path.is_dir() or path.suffix.lower() == ".zip":
            opened = open_files(path)
            found = find_images(opened)
            names = sorted(found.paths, key=natural_key)
            files += [ImageFile(f"{path}/{name}", lambda name=name, opened=opened: opened.read(name)) for name in names]
            if found.others:
                print(f"not used: {path}: {found.types_text}", file=sys.stderr)
            if not names:
                problems.append(Problem(f"holds no image ({', '.join(EXTENSIONS)})", str(path)))
        elif path.is_file():
            files.append(ImageFile(str(path), path.read_bytes))
        else:
            problems.append(Problem("is a device, a pipe or a socket, and images are files", str(path)))
    if problems:
        raise UserError(*problems)
    return files


def predict_files(checkpoint: Path, files: list[ImageFile], top: int) -> list[dict[str, Any]]:
    """Classify image files.

    Returns:
        For each readable file: `file`, `class`, `probability`, and `top`, a list of classes with probabilities. With several
        labels an image, `labels` in place of class and probability. Unreadable files are listed on standard error.

    Raises:
        UserError: the checkpoint is invalid.
        RunError: none of the files can be read.
    """
    loaded, predictions = load_checkpoint(checkpoint), []
    for readable, scores in image_scores(loaded, files):
        if loaded.multi_label:
            predictions += label_predictions(readable, scores, loaded.class_names, loaded.thresholds, top)
        else:
            predictions += top_classes(readable, scores, loaded.class_names, top)
    return predictions


def image_scores(loaded: Checkpoint, files: Sequence[StoredImage]) -> Iterator[tuple[list[str], np.ndarray]]:
    """Yield, portion by portion, the names of readable images and their probabilities, float32 [images, classes].

    Unreadable images are listed on standard error.

    Raises:
        RunError: none of the images can be read.
    """
    from kerasexp.data.input_pipeline import evaluation_batch_size, evaluation_batches

    broken, is_any_readable = 0, False
    shape = (*loaded.preprocessing.size, loaded.preprocessing.channels)
    size = evaluation_batch_size(shape)
    count = max(PORTION // math.prod(shape), size)
    for start in range(0, len(files), count):
        portion = files[start : start + count]
        images, readable = [], []
        for file, image in zip(portion, preprocessed(portion, loaded), strict=True):
            if isinstance(image, BrokenImage):
                broken += 1
                print(f"left out: {file.name}: {image}", file=sys.stderr)
            else:
                images.append(image)
                readable.append(file.name)
        if images:
            scores = loaded.model.predict(evaluation_batches(np.stack(images), None, size), verbose=0)
            check_probabilities(scores, readable)
            is_any_readable = True
            yield readable, scores
    if broken and not is_any_readable:
        raise RunError(f"none of the {broken} images can be read")


def preprocessed(files: Sequence[StoredImage], checkpoint: Checkpoint) -> Iterator[np.ndarray | BrokenImage]:
    """Yield each image as model input, uint8 [height, width, channels], or the reason why it cannot be read."""
    preprocessing, to_uint8 = checkpoint.preprocessing, file_conversion(checkpoint.value_range)

    def one(file: StoredImage) -> np.ndarray | BrokenImage:
        try:
            return preprocess(file.pixels(min_side_for(preprocessing), to_uint8), preprocessing)
        except BrokenImage as broken:
            return broken
        except OSError as error:
            return BrokenImage(f"cannot be read: {error.strerror or error}")

    yield from map_threads(one, files)


def top_classes(names: list[str], scores: np.ndarray, class_names: list[str], top: int) -> Iterator[dict[str, Any]]:
    """Yield for each image its `file`, `class`, `probability` and `top`, as `predict_files` returns them."""
    order = np.argsort(-scores, axis=1, kind="stable")[:, :top]
    best = np.take_along_axis(scores, order, axis=1).astype(float)
    for name, classes, probabilities in zip(names, order.tolist(), best.tolist(), strict=True):
        listed = [
            {"class": class_names[i], "probability": round(value, 6)}
            for i, value in zip(classes, probabilities, strict=True)
        ]
        yield {"file": name, **listed[0], "top": listed}


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
        f"{p['file']:<{width}}  " + "  ".join(f"{t['class']} {t['probability']:.3f}" for t in p["top"])
        for p in predictions
    )
    return "".join(line + "\n" for line in lines)
