"""`export`: a checkpoint for programs without Keras, compared with the checkpoint before it is called done."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kerasexp.backend import silenced
from kerasexp.config.data import DataSource, Preprocessing
from kerasexp.config.files import is_there
from kerasexp.console import Console
from kerasexp.data.preprocessing import preprocess
from kerasexp.data.source import BrokenImage
from kerasexp.environment import missing_of
from kerasexp.errors import KerasexpError, Problem, RunError, UserError, closest, listing
from kerasexp.evaluation.file_predictions import ImageFile, image_files, preprocessed
from kerasexp.export import FORMATS, ExportFormat
from kerasexp.export.description import describe
from kerasexp.export.portable import HALF_BOUND, bound_of, portable
from kerasexp.saving.checkpoint import Checkpoint, find_checkpoint, load_checkpoint
from kerasexp.storage import temporary_folder, written

# How many images the two are compared on, and how many of them at once: the last batch of five is an odd one.
COMPARED, BATCHES = 32, (1, 5)


@dataclass(frozen=True)
class Plan:
    """What is to be exported, looked at before TensorFlow is imported.

    Attributes:
        checkpoint: its folder.
        format: one of `FORMATS`.
        output: the folder or file to make, which is not there yet.
        images: what the two are compared on; None where none were given.
        images_from: where these are from.
    """

    checkpoint: Path
    format: ExportFormat
    output: Path
    images: list[ImageFile] | None
    images_from: Path | None


def plan_export(checkpoint: Path, format: str, output: Path | None, images: Path | None) -> Plan:
    """Return what `export` was asked for.

    Raises:
        UserError: there is no such format, checkpoint or image, the format's extra is not installed, or the output is
            there already or could not be made.
    """
    if format not in FORMATS:
        raise UserError(Problem(f"got '{format}'{closest(format, FORMATS)}; allowed: {listing(FORMATS)}", "--format"))
    form = FORMATS[format]
    if form.extra is not None and (missing := missing_of(form.extra)):
        needs = f"{format} needs {', '.join(missing)}, which {'is' if len(missing) == 1 else 'are'} not installed"
        raise UserError(Problem(f"{needs}: pip install '.[{form.extra}]'", "--format"))
    folder = find_checkpoint(checkpoint)
    output = output or Path(_name_of(folder) + form.ending)
    if not form.folder and output.suffix != form.ending:
        raise UserError(Problem(f"the name of a {format} file must end in {form.ending}", str(output), "--output"))
    if is_there(output):
        raise UserError(Problem("is there already; name another, or remove it", str(output), "--output"))
    if not output.parent.is_dir():
        raise UserError(Problem("no such folder", str(output.parent), "--output"))
    return Plan(folder, form, output, None if images is None else image_files([images]), images)


def _name_of(folder: Path) -> str:
    """Return what an export is called after: the checkpoint's folder, or the run's, with its experiment if it is a number."""
    folder = folder.resolve()
    if folder.name == "checkpoint":
        folder = folder.parent
    return f"{folder.parent.name}_{folder.name}" if folder.name.isdigit() else folder.name


def export(plan: Plan, console: Console) -> Path:
    """Write the model beside its place, load it from there, compare it with the checkpoint, and move it into place.

    Raises:
        UserError: the checkpoint cannot be used.
        RunError: the format cannot hold the model, its probabilities are not the checkpoint's, none of the images can be
            read, or the disk is full. Nothing is left of it then.
    """
    checkpoint = load_checkpoint(plan.checkpoint)
    images, what = _images(plan, checkpoint.preprocessing)
    with written(plan.output), temporary_folder(plan.output.parent, plan.output.name) as temporary:
        unfinished = temporary / plan.output.name
        difference = _written_and_compared(plan, checkpoint, images, unfinished)
        bound = bound_of(checkpoint.model)
        told = f"compared on {what}, {' and '.join(map(str, BATCHES))} at a time: " + _told(difference, bound)
        if not difference <= bound:
            raise RunError(f"{plan.checkpoint}: {told}; nothing was written")
        console.line(told)
        os.rename(unfinished, plan.output)
    shape, classes = ", ".join(map(str, checkpoint.model.input_shape[1:])), len(checkpoint.class_names)
    console.line(f"takes uint8 images [n, {shape}] in 0..255, gives float32 probabilities [n, {classes}]")
    return plan.output


def _told(difference: float, bound: float) -> str:
    half = "; the checkpoint computes in half precision, and the export in float32" if bound == HALF_BOUND else ""
    return f"probabilities differ from the checkpoint's by at most {difference:.2g} ({bound:g} is allowed{half})"


def _written_and_compared(plan: Plan, checkpoint: Checkpoint, images: np.ndarray, path: Path) -> float:
    """Write the model in its format, load what was written, and return how far its probabilities are from the checkpoint's."""
    size = max(BATCHES)
    expected = [checkpoint.model.predict_on_batch(images[i : i + size]) for i in range(0, len(images), size)]
    expected = np.concatenate(expected).astype(np.float32)
    try:
        with silenced(), written(plan.output):
            plan.format.write(portable(checkpoint.model), describe(checkpoint), path)
            predict = plan.format.load(path)
            return float(np.max([largest_difference(predict, images, expected, size) for size in BATCHES]))
    except KerasexpError:
        raise
    except Exception as error:  # converters raise whatever their parts raise
        reason = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
        raise RunError(f"{plan.checkpoint}: the format cannot hold this model: {reason:.400}") from None


def largest_difference(
    predict: Callable[[np.ndarray], np.ndarray], images: np.ndarray, expected: np.ndarray, size: int
) -> float:
    """Return how far the probabilities of so many images at a time are from the expected ones; NaN where one is NaN.

    Args:
        predict: from uint8 [n, height, width, channels] to [n, classes], which may change between calls.
        images: uint8 [n, height, width, channels].
        expected: float32 [n, classes].
        size: how many at a time; the last time there may be fewer.

    Raises:
        ValueError: what it gives has another shape.
    """
    got = np.concatenate([np.array(predict(images[i : i + size])) for i in range(0, len(images), size)])
    if got.shape != expected.shape:
        raise ValueError(f"it gives {list(got.shape)} for {list(expected.shape)}")
    return float(np.abs(got - expected).max())


def _images(plan: Plan, how: Preprocessing) -> tuple[np.ndarray, str]:
    """Return images as the model takes them, uint8 [n, height, width, channels], and what they are."""
    if plan.images is None:
        return _digits(how), f"{COMPARED // 2} of scikit-learn's digits, and on the same under more and more noise"
    files, images = _spread(plan.images, COMPARED), []
    for file, image in zip(files, preprocessed(files, how), strict=True):
        if isinstance(image, BrokenImage):
            print(f"left out: {file.name}: {image}", file=sys.stderr)
        else:
            images.append(image)
    if not images:
        raise RunError(f"{plan.images_from}: none of the {len(files)} images can be read")
    return np.stack(images), f"{len(images)} of the {len(plan.images)} images of {plan.images_from}"


def _digits(how: Preprocessing) -> np.ndarray:
    """Return digits framed as the checkpoint wants them, and the same under noise: it is less sure of these.

    Where all probabilities are next to 0 and 1, even models that differ agree.
    """
    from kerasexp.data.sources.digits import load_digits

    half = COMPARED // 2
    digits = load_digits(DataSource(source="digits")).splits["test"].array
    framed = np.stack([preprocess(digit, how) for digit in _spread(digits, half)])
    noise = np.random.default_rng(0).integers(0, 256, framed.shape)
    share = np.linspace(0, 1, half + 1)[1:, None, None, None]
    return np.concatenate([framed, np.rint((1 - share) * framed + share * noise).astype(np.uint8)])


def _spread(items, count: int):
    """Return at most `count` of a sequence, evenly spaced."""
    return items[:: max(len(items) // count, 1)][:count]
