"""Classes of raw image files, by a checkpoint and its own record of the preprocessing."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kerasexp.config.data import Preprocessing
from kerasexp.config.files import is_there
from kerasexp.data.archive import open_files
from kerasexp.data.image_decoding import EXTENSIONS, decode_image, is_image_name
from kerasexp.data.preprocessing import min_side_for, preprocess
from kerasexp.data.source import BrokenImage, natural_key
from kerasexp.data.thread_pool import map_threads
from kerasexp.errors import Problem, RunError, UserError
from kerasexp.saving.checkpoint import load_checkpoint
from kerasexp.storage import csv_text

# Images are decoded and classified in portions of at most so many bytes of input, so that a folder of any size fits into
# memory.
PORTION = 2**26


@dataclass(frozen=True)
class ImageFile:
    """One file to classify, and how to get its bytes."""

    name: str
    read: Any


def image_files(paths: Sequence[Path]) -> list[ImageFile]:
    """Return the images that are meant by files, folders (with all that is below them) and zip archives.

    Raises:
        UserError: a path is not there, is neither a file nor a folder, or holds no image.
    """
    files, problems = [], []
    for path in paths:
        if not is_there(path):
            problems.append(Problem("no such file or folder", str(path)))
        elif path.is_dir() or path.suffix.lower() == ".zip":
            opened = open_files(path)
            names = sorted((p for p in opened.paths if is_image_name(p)), key=natural_key)
            files += [ImageFile(f"{path}/{name}", lambda name=name, opened=opened: opened.read(name)) for name in names]
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
        For each file that can be read: `file`, `class`, `probability`, and `top`, a list of classes with probabilities.
        The others are named on standard error.

    Raises:
        UserError: the checkpoint is none.
        RunError: not one of the files can be read.
    """
    from kerasexp.data.pipeline import evaluation_batch_size, evaluation_batches

    loaded = load_checkpoint(checkpoint)
    answers, broken = [], 0
    shape = (*loaded.preprocessing.size, loaded.preprocessing.channels)
    size = evaluation_batch_size(shape)
    count = max(PORTION // math.prod(shape), size)
    for start in range(0, len(files), count):
        portion = files[start : start + count]
        images, readable = [], []
        for file, image in zip(portion, preprocessed(portion, loaded.preprocessing), strict=True):
            if isinstance(image, BrokenImage):
                broken += 1
                print(f"left out: {file.name}: {image}", file=sys.stderr)
            else:
                images.append(image)
                readable.append(file.name)
        if images:
            scores = loaded.model.predict(evaluation_batches(np.stack(images), None, size), verbose=0)
            answers += _answers(readable, scores, loaded.class_names, top)
    if broken and not answers:
        raise RunError(f"none of the {broken} images can be read")
    return answers


def preprocessed(files: Sequence[ImageFile], how: Preprocessing) -> Iterator[np.ndarray | BrokenImage]:
    """Yield each image as the model takes it, uint8 [height, width, channels], or why it cannot be read."""

    def one(file: ImageFile) -> np.ndarray | BrokenImage:
        try:
            return preprocess(decode_image(file.read(), min_side_for(how)), how)
        except BrokenImage as broken:
            return broken
        except OSError as error:
            return BrokenImage(f"cannot be read: {error.strerror or error}")

    yield from map_threads(one, files)


def _answers(names: list[str], scores: np.ndarray, class_names: list[str], top: int) -> Iterator[dict[str, Any]]:
    order = np.argsort(-scores, axis=1, kind="stable")[:, :top]
    best = np.take_along_axis(scores, order, axis=1).astype(float)
    for name, classes, probabilities in zip(names, order.tolist(), best.tolist(), strict=True):
        listed = [
            {"class": class_names[i], "probability": round(value, 6)}
            for i, value in zip(classes, probabilities, strict=True)
        ]
        yield {"file": name, **listed[0], "top": listed}


def shown(answers: list[dict[str, Any]], format: str) -> str:
    """Return the answers as a table for people, as CSV, or as JSON."""
    if format == "json":
        return json.dumps(answers, indent=2, ensure_ascii=False) + "\n"
    if format == "csv":
        count = max((len(a["top"]) for a in answers), default=0)
        header = [
            "file",
            "class",
            "probability",
            *(f"{key}_{k}" for k in range(1, count + 1) for key in ("class", "probability")),
        ]
        rows = ([a["file"], a["class"], a["probability"], *(v for t in a["top"] for v in t.values())] for a in answers)
        return csv_text(header, rows)
    width = max((len(a["file"]) for a in answers), default=0)
    lines = (
        f"{a['file']:<{width}}  " + "  ".join(f"{t['class']} {t['probability']:.3f}" for t in a["top"]) for a in answers
    )
    return "".join(line + "\n" for line in lines)
