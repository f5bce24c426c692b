"""`export`: a checkpoint in a format for programs without Keras, verified against the checkpoint."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from kerasexp.backend import silenced
from kerasexp.console import Console
from kerasexp.errors import KerasexpError, Problem, RunError, UserError
from kerasexp.evaluation.ensemble import load_ensemble
from kerasexp.export.comparison_images import BATCHES, Comparison, comparison, largest_difference
from kerasexp.export.ensemble_model import as_one_checkpoint
from kerasexp.export.export_metadata import export_metadata
from kerasexp.export.export_plan import ExportPlan
from kerasexp.export.quantization import quantization_cost
from kerasexp.export.validation_images import ValidationImages, validation_images
from kerasexp.saving.calibrated_model import calibrated_model
from kerasexp.saving.checkpoint import Checkpoint
from kerasexp.saving.float32_model import float32_copy, tolerance
from kerasexp.saving.half_precision import computes_in_half
from kerasexp.saving.raw_images import preprocessing_layer, raw_tolerance, why_not_raw
from kerasexp.saving.raw_model import raw_model
from kerasexp.storage import temporary_folder, write_errors

if TYPE_CHECKING:
    import keras


def export(plan: ExportPlan, console: Console) -> Path:
    """Write the model to a temporary folder, load it from there, compare it with the checkpoint, and move it into place.

    Raises:
        UserError: a checkpoint is invalid or cannot take raw images, or the images of val are not there.
        RunError: the format does not support the model, its probabilities differ from the checkpoint's, none of the images
            can be read, quantization loses too much, or the disk is full. No file is left then.
    """
    ensemble = load_ensemble(plan.checkpoints)
    checkpoint = as_one_checkpoint(ensemble)
    if plan.raw and (reason := why_not_raw(checkpoint.value_range)) is not None:
        raise UserError(Problem(f"{reason}; use --input model", plan.name, "--input"))
    compared = comparison(plan, ensemble)
    images = None if plan.quantize is None else validation_images(plan, checkpoint)
    with write_errors(plan.output), temporary_folder(plan.output.parent, plan.output.name) as temporary:
        unfinished = temporary / plan.output.name
        difference = _write_and_compare(plan, checkpoint, compared, unfinished)
        _check(difference, plan, checkpoint, compared, console)
        if images is not None:
            unfinished = _quantized(plan, checkpoint, unfinished, images, console)
        os.rename(unfinished, plan.output)
    console.line(
        f"input: {_input_text(plan, checkpoint)}; output: float32 probabilities [n, {len(checkpoint.class_names)}]"
    )
    return plan.output


def _write_and_compare(plan: ExportPlan, checkpoint: Checkpoint, compared: Comparison, path: Path) -> float:
    """Write the model in float32, load it again, and return the largest difference from the checkpoint's probabilities."""
    with _converting(plan):
        metadata = export_metadata(checkpoint, replace(plan, quantize=None))
        plan.format.write(model_to_export(plan, checkpoint), metadata, path)
        predict = plan.format.load(path)
        differences = [largest_difference(predict, compared.images, compared.expected, size) for size in BATCHES]
        if plan.raw and plan.format.load_encoded is not None:
            kept = [place for place, file in enumerate(compared.files) if file is not None]
            got = plan.format.load_encoded(path)([compared.files[place] for place in kept]) if kept else None
            differences += [] if got is None else [float(np.abs(got - compared.expected[kept]).max())]
        return float(np.max(differences))


def _quantized(
    plan: ExportPlan, checkpoint: Checkpoint, plain: Path, images: ValidationImages, console: Console
) -> Path:
    """Quantize, print what it costs, and return the file beside `plain`, the model in float32.

    Raises:
        RunError: more accuracy is lost on val than allowed.
    """
    path = plain.with_name(f"quantized{plan.format.ending}")
    with _converting(plan):
        model, metadata = model_to_export(plan, checkpoint), export_metadata(checkpoint, plan)
        plan.format.quantize(model, metadata, plan.quantize, images.calibration, path)
        cost = quantization_cost((plain, plan.format.load(plain)), (path, plan.format.load(path)), images)
    first, second = cost.sentences()
    # The margin is that of a sum of shares in float64.
    if cost.lost > plan.tolerance + 1e-9:
        raise RunError(f"{plan.name}: {plan.quantize}: {first}; --tolerance is {plan.tolerance:g}; nothing was written")
    console.line(f"{plan.quantize}: {first}")
    console.line(second)
    return path


@contextmanager
def _converting(plan: ExportPlan) -> Iterator[None]:
    """Silence the block, in which converters work, and turn their exceptions into RunError."""
    try:
        with silenced(), write_errors(plan.output):
            yield
    except KerasexpError:
        raise
    except Exception as error:  # converters raise exceptions of many types
        reason = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
        raise RunError(f"{plan.name}: the format does not support this model: {reason:.400}") from None


def model_to_export(plan: ExportPlan, checkpoint: Checkpoint) -> keras.Model:
    """Return the model in float32; if it takes raw images, calibrated and with the preprocessing before it."""
    if not plan.raw:
        return float32_copy(checkpoint.model)
    model = float32_copy(calibrated_model(checkpoint.model, checkpoint.temperature))
    model = raw_model(model, checkpoint.preprocessing, checkpoint.value_range, plan.size)
    if not plan.format.any_size:
        preprocessing_layer(model).for_device(plan.format.precise)
    return model


def _check(difference: float, plan: ExportPlan, checkpoint: Checkpoint, compared: Comparison, console: Console) -> None:
    """Print the difference; raise RunError if it is too large."""
    allowed = raw_tolerance(checkpoint.model) if plan.raw else tolerance(checkpoint.model)
    half = (
        "; the checkpoint computes in half precision, the export in float32"
        if computes_in_half(checkpoint.model)
        else ""
    )
    message = (
        f"compared with the checkpoint on {compared.origin}, in batches of {' and '.join(map(str, BATCHES))}: probabilities "
        f"differ by at most {difference:.2g} (tolerance {allowed:g}{half})"
    )
    if not difference <= allowed:
        raise RunError(f"{plan.name}: {message}; nothing was written")
    console.line(message)


def _input_text(plan: ExportPlan, checkpoint: Checkpoint) -> str:
    if not plan.raw:
        return f"uint8 images [n, {', '.join(map(str, checkpoint.model.input_shape[1:]))}] in 0..255"
    if plan.size is not None:
        return f"raw uint8 images [n, {plan.size[0]}, {plan.size[1]}, 3]"
    return "raw uint8 images [n, height, width, 3] of any size, or files by the signature `encoded`"
