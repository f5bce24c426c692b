"""`checkpoint/model_raw.keras`: a model that takes stored images, compared with the checkpoint on some of them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from kerasexp.config import Experiment
from kerasexp.console import Console
from kerasexp.data.prepared_data import PreparedData
from kerasexp.data.preprocessing import preprocess
from kerasexp.data.source import BrokenImage, Images
from kerasexp.data.sources import load_source
from kerasexp.errors import UserError
from kerasexp.evaluation.predictions import calibrated
from kerasexp.models.tensor_origin import origin
from kerasexp.runs.directory import RunDirectory
from kerasexp.saving.calibrated_model import calibrated_model
from kerasexp.saving.checkpoint import Checkpoint, write_stored_size
from kerasexp.saving.checkpoint_code import needs_code
from kerasexp.saving.fitted_values import read_calibration
from kerasexp.saving.half_precision import flat_layers
from kerasexp.saving.raw_images import CHANNELS, as_stored, raw_tolerance, why_not_raw
from kerasexp.saving.raw_model import placed_aside, raw_model
from kerasexp.saving.stock_preprocessing import why_not_stock
from kerasexp.storage import replacing

if TYPE_CHECKING:
    import keras

# Stored images from which the size is found, and on which the models are compared.
SAMPLE = 16
# The module of the layer `Preprocess`, which a user imports before loading a model with it.
PREPROCESS = "kerasexp.data.preprocess_layer"


class NoRawModel(Exception):
    """There is no model of stored images; the message says why."""


def write_raw_checkpoint(
    run: RunDirectory,
    saved: Checkpoint,
    experiment: Experiment,
    data: PreparedData,
    manifest: dict[str, Any],
    console: Console,
) -> None:
    """Write `model_raw.keras`, and say on the console and in the manifest what the model takes.

    The model has layers of Keras alone where the stored images have one size and the preprocessing does not depend on their
    content. Else it has the layer `Preprocess`, for which kerasexp must be installed. It is kept only if its probabilities are
    those of the checkpoint.

    `saved` is the checkpoint as it was loaded, before its temperature was fitted.

    Raises:
        RunError: the disk is full.
    """
    checkpoint = replace(saved, temperature=read_calibration(run.checkpoint).temperature)
    found: dict[str, Any] = {"written": False, "imports": []}
    try:
        images = data.once("stored images", lambda: stored_images(experiment))
        size = _one_size(images)
        if size is not None:
            write_stored_size(run.checkpoint, size)  # `export` takes it
        if needs_code(run.checkpoint):
            raise NoRawModel("its network needs code")
        if (reason := why_not_raw(checkpoint.value_range)) is not None:
            raise NoRawModel(reason)
        found |= _write(run, checkpoint, images, size)
        sentence = _sentence(found)
    except NoRawModel as none:
        sentence = f"There is no `model_raw.keras`: {none}."
    manifest["raw_model"] = found | {"sentence": sentence}
    console.line(sentence.replace("`", ""))


def stored_images(experiment: Experiment) -> list[np.ndarray]:
    """Return some stored images of training, uint8 [height, width, 3], evenly spaced.

    Raises:
        NoRawModel: none of them can be read.
    """
    try:
        source, _ = load_source(experiment.data)
    except UserError as error:  # removed since the run began
        raise NoRawModel(f"the data cannot be read again: {error}") from None
    images = source.splits["train"]
    positions = np.unique(np.linspace(0, len(images) - 1, SAMPLE).astype(int))
    found = [image for position in positions.tolist() if (image := _read(images, position)) is not None]
    if not found:
        raise NoRawModel("none of the images can be read again")
    return found


def _read(images: Images, position: int) -> np.ndarray | None:
    try:
        image = images.read(position)
    except (BrokenImage, OSError):
        return None
    return np.repeat(image, CHANNELS, axis=2) if image.shape[2] == 1 else image


def _one_size(images: list[np.ndarray]) -> tuple[int, int] | None:
    sizes = {image.shape[:2] for image in images}
    return next(iter(sizes)) if len(sizes) == 1 else None


def _write(
    run: RunDirectory, checkpoint: Checkpoint, images: list[np.ndarray], size: tuple[int, int] | None
) -> dict[str, Any]:
    """Write the model and compare it; return what the manifest says of it."""
    import keras

    compared = [image for image in images if not placed_aside(checkpoint.preprocessing, image)]
    if not compared:
        raise NoRawModel("its images would be placed one pixel aside")
    layers = map(type, flat_layers(checkpoint.model))
    own = {layer for layer in layers if layer.__module__.startswith("kerasexp.")}
    reason = why_not_stock(checkpoint.preprocessing, size)
    classifier = calibrated_model(checkpoint.model, checkpoint.temperature)
    model = raw_model(classifier, checkpoint.preprocessing, checkpoint.value_range, size, stock=reason is None)
    imports = {layer.__module__ for layer in own} | ({PREPROCESS} if reason is not None else set())
    if reason is None and own:
        reason = f"the network has layers of kerasexp ({', '.join(sorted(layer.__name__ for layer in own))})"
    temporary = run.raw_model.with_name(f".{run.raw_model.name}.tmp.keras")
    with replacing(run.raw_model, temporary, durable=True):
        model.save(temporary)
        difference = _difference(keras.models.load_model(temporary, compile=False), checkpoint, compared)
        if not difference <= raw_tolerance(checkpoint.model):
            raise NoRawModel(f"its probabilities would differ by {difference:.2g} from the checkpoint's")
    return {
        "written": True,
        "size": size,
        "imports": sorted(imports),
        "reason": reason,
        "compared_on": len(compared),
        "placed_aside": len(images) - len(compared),
        "largest_difference": difference,
    }


def _difference(model: keras.Model, checkpoint: Checkpoint, images: list[np.ndarray]) -> float:
    """Return the largest difference of probabilities from the checkpoint's; NaN if any is NaN.

    The models are called: `predict` would build graphs, which takes longer.
    """
    import keras

    small = np.stack([preprocess(image, checkpoint.preprocessing) for image in images])
    expected = calibrated(_array(checkpoint.model(small, training=False)), checkpoint)
    classifier, between = origin(model.outputs[0])
    first_part = keras.Model(model.inputs[0], between)
    # Stored images one by one: they may have several sizes, and a batch of scans would take a gigabyte.
    stored = (as_stored(image, checkpoint.value_range)[np.newaxis] for image in images)
    small = np.concatenate([np.asarray(first_part(image, training=False)) for image in stored])
    got = _array(classifier(small, training=False))
    return float(np.abs(got - expected).max())


def _array(outputs: Any) -> np.ndarray:
    return np.asarray(outputs).astype(np.float32)


def _sentence(found: dict[str, Any]) -> str:
    size = (
        "of any size" if found["size"] is None else f"of {found['size'][0]}x{found['size'][1]} pixels (height x width)"
    )
    needs = "needs Keras alone" if found["reason"] is None else f"needs kerasexp, as {found['reason']}"
    aside = found["placed_aside"]
    also = f"; {aside} others are placed one pixel aside, as their ink is symmetric" if aside else ""
    compared = (
        f"on {found['compared_on']} of them, its probabilities differ from those of `model.keras`, calibrated, by at most "
        f"{found['largest_difference']:.2g}"
    )
    return f"`model_raw.keras` takes stored images {size}, uint8 [n, height, width, 3], and {needs}; {compared}{also}."
