"""`export`: a checkpoint in a format for programs without Keras, verified against the checkpoint."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kerasexp.backend import silenced
from kerasexp.config.data_section import DataSource, Preprocessing
from kerasexp.config.yaml_paths import is_there
from kerasexp.console import Console
from kerasexp.data.preprocessing import preprocess
from kerasexp.data.source import BrokenImage
from kerasexp.environment import install_command, missing_of
from kerasexp.errors import KerasexpError, Problem, RunError, UserError, closest, listing
from kerasexp.evaluation.file_predictions import ImageFile, image_files, preprocessed
from kerasexp.export import FORMATS, ExportFormat
from kerasexp.export.export_metadata import export_metadata
from kerasexp.export.float32_model import HALF_TOLERANCE, float32_copy, tolerance
from kerasexp.saving.checkpoint import Checkpoint, find_checkpoint, load_checkpoint
from kerasexp.storage import temporary_folder, write_errors

# Number of images for the comparison, and batch sizes; the last batch of five is smaller.
COMPARED, BATCHES = 32, (1, 5)


@dataclass(frozen=True)
class ExportPlan:
    """The validated request, made before TensorFlow is imported.

    Attributes:
        checkpoint: its folder.
        format: one of `FORMATS`.
        output: the folder or file to create.
        images: for the comparison; None if none were given.
        images_from: the file or folder of these images.
    """

    checkpoint: Path
    format: ExportFormat
    output: Path
    images: list[ImageFile] | None
    images_from: Path | None


def plan_export(checkpoint: Path, format: str, output: Path | None, images: Path | None) -> ExportPlan:
    """Validate a request.

    Raises:
        UserError: there is no such format, checkpoint or image, the format's extra is not installed, or the output exists
            already or cannot be created.
    """
    if format not in FORMATS:
        raise UserError(Problem(f"got '{format}'{closest(format, FORMATS)}; allowed: {listing(FORMATS)}", "--format"))
    form = FORMATS[format]
    if form.extra is not None and (missing := missing_of(form.extra)):
        needs = f"{format} needs {', '.join(missing)}, which {'is' if len(missing) == 1 else 'are'} not installed"
        raise UserError(Problem(f"{needs}: {install_command(form.extra)}", "--format"))
    folder = find_checkpoint(checkpoint)
    output = output or Path(_name_of(folder) + form.ending)
    if not form.folder and output.suffix != form.ending:
        raise UserError(Problem(f"the name of a {format} file must end in {form.ending}", str(output), "--output"))
    if is_there(output):
        raise UserError(Problem("exists already; choose another name, or remove it", str(output), "--output"))
    if not output.parent.is_dir():
        raise UserError(Problem("no such folder", str(output.parent), "--output"))
    return ExportPlan(folder, form, output, None if images is None else image_files([images]), images)


def _name_of(folder: Path) -> str:
    """Return the default name: that of the checkpoint's or run's folder, after the experiment's name if it is a number."""
    folder = folder.resolve()
    if folder.name == "checkpoint":
        folder = folder.parent
    return f"{folder.parent.name}_{folder.name}" if folder.name.isdecimal() else folder.name


def export(plan: ExportPlan, console: Console) -> Path:
    """Write the model to a temporary folder, load it from there, compare it with the checkpoint, and move it into place.

    Raises:
        UserError: the checkpoint is invalid.
        RunError: the format does not support the model, its probabilities differ from the checkpoint's, none of the images
            can be read, or the disk is full. No file is left then.
    """
    checkpoint = load_checkpoint(plan.checkpoint)
    images, origin = _images(plan, checkpoint)
    with write_errors(plan.output), temporary_folder(plan.output.parent, plan.output.name) as temporary:
        unfinished = temporary / plan.output.name
        difference, allowed = _write_and_compare(plan, checkpoint, images, unfinished), tolerance(checkpoint.model)
        half = "; the checkpoint computes in half precision, the export in float32" if allowed == HALF_TOLERANCE else ""
        message = (
            f"compared with the checkpoint on {origin}, in batches of {' and '.join(map(str, BATCHES))}: probabilities differ "
            f"by at most {difference:.2g} (tolerance {allowed:g}{half})"
        )
        if not difference <= allowed:
            raise RunError(f"{plan.checkpoint}: {message}; nothing was written")
        console.line(message)
        os.rename(unfinished, plan.output)
    shape, classes = ", ".join(map(str, checkpoint.model.input_shape[1:])), len(checkpoint.class_names)
    console.line(f"input: uint8 images [n, {shape}] in 0..255; output: float32 probabilities [n, {classes}]")
    return plan.output


def _write_and_compare(plan: ExportPlan, checkpoint: Checkpoint, images: np.ndarray, path: Path) -> float:
    """Write the model, load it again, and return the largest difference of its probabilities from the checkpoint's."""
    size = max(BATCHES)
    expected = [checkpoint.model.predict_on_batch(images[i : i + size]) for i in range(0, len(images), size)]
    expected = np.concatenate(expected).astype(np.float32)
    try:
        with silenced(), write_errors(plan.output):
            plan.format.write(float32_copy(checkpoint.model), export_metadata(checkpoint), path)
            predict = plan.format.load(path)
            return float(np.max([largest_difference(predict, images, expected, size) for size in BATCHES]))
    except KerasexpError:
        raise
    except Exception as error:  # converters raise exceptions of many types
        reason = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
        raise RunError(f"{plan.checkpoint}: the format does not support this model: {reason:.400}") from None


def largest_difference(
    predict: Callable[[np.ndarray], np.ndarray], images: np.ndarray, expected: np.ndarray, size: int
) -> float:
    """Return the largest difference between predicted and expected probabilities; NaN if any is NaN.

    Args:
        predict: from uint8 [n, height, width, channels] to [n, classes]; it may reuse the array that it returns.
        images: uint8 [n, height, width, channels].
        expected: float32 [n, classes].
        size: of a batch; the last one may be smaller.

    Raises:
        ValueError: the output has another shape.
    """
    got = np.concatenate([np.array(predict(images[i : i + size])) for i in range(0, len(images), size)])
    if got.shape != expected.shape:
        raise ValueError(f"the output has shape {list(got.shape)} instead of {list(expected.shape)}")
    return float(np.abs(got - expected).max())


def _images(plan: ExportPlan, checkpoint: Checkpoint) -> tuple[np.ndarray, str]:
    """Return images for the comparison as model input, uint8 [n, height, width, channels], and their origin."""
    if plan.images is None:
        return _digits(
            checkpoint.preprocessing
        ), f"{COMPARED // 2} of scikit-learn's digits, plain and with increasing noise"
    files, images = _spread(plan.images, COMPARED), []
    for file, image in zip(files, preprocessed(files, checkpoint), strict=True):
        if isinstance(image, BrokenImage):
            print(f"left out: {file.name}: {image}", file=sys.stderr)
        else:
            images.append(image)
    if not images:
        raise RunError(f"{plan.images_from}: none of the {len(files)} images can be read")
    return np.stack(images), f"{len(images)} of the {len(plan.images)} images of {plan.images_from}"


def _digits(preprocessing: Preprocessing) -> np.ndarray:
    """Return preprocessed digits, and the same with noise, which lowers the model's confidence.

    With all probabilities close to 0 and 1, a comparison would not show a difference.
    """
    from kerasexp.data.sources.digits import load_digits

    half = COMPARED // 2
    digits = load_digits(DataSource(source="digits")).splits["test"].array
    framed = np.stack([preprocess(digit, preprocessing) for digit in _spread(digits, half)])
    noise = np.random.default_rng(0).integers(0, 256, framed.shape)
    share = np.linspace(0, 1, half + 1)[1:, None, None, None]
    return np.concatenate([framed, np.rint((1 - share) * framed + share * noise).astype(np.uint8)])


def _spread(items, count: int):
    """Return at most `count` items of a sequence, evenly spaced."""
    return items[:: max(len(items) // count, 1)][:count]
