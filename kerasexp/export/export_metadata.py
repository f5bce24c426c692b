"""Metadata of an exported model, which comes without the other files of the checkpoint."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from kerasexp import __version__
from kerasexp.saving.checkpoint import Checkpoint, preprocessing_as_json
from kerasexp.saving.raw_images import CHANNELS

if TYPE_CHECKING:
    from kerasexp.export.export_plan import ExportPlan

# File name, in formats that contain files.
METADATA = "kerasexp.json"


def export_metadata(checkpoint: Checkpoint, plan: ExportPlan) -> dict[str, Any]:
    """Return what is needed to use the model, as JSON values.

    `input` is `raw` if the model takes stored images, and `model` if it takes images that are preprocessed as
    `preprocessing`, the content of `preprocessing.json`, says. A side of raw images of any size is null.
    `temperature` was fitted on val. It is inside a model of raw images, whose probabilities are calibrated; for those of a model
    with `input: model`, divide the log probabilities by it. It is null where the checkpoint has none.
    Below a probability of `reject_threshold` the image is unknown; null: every image has a class. With several labels an image,
    it has those whose probability reaches their threshold in `thresholds`.
    """
    several = {}
    if checkpoint.multi_label:
        several = {"thresholds": dict(zip(checkpoint.class_names, checkpoint.thresholds.tolist(), strict=True))}
    shape = (None, *(plan.size or (None, None)), CHANNELS) if plan.raw else checkpoint.model.input_shape
    return {
        "class_names": checkpoint.class_names,
        "preprocessing": preprocessing_as_json(
            checkpoint.preprocessing, checkpoint.value_range, checkpoint.stored_size
        ),
        "input": "raw" if plan.raw else "model",
        "quantization": plan.quantize,
        "temperature": checkpoint.temperature,
        "reject_threshold": checkpoint.reject_threshold,
        **several,
        "images": {"dtype": "uint8", "shape": shape, "values": "0 to 255"},
        "probabilities": {"dtype": "float32", "shape": checkpoint.model.output_shape},
        "made_by": f"kerasexp {__version__}",
    }


def as_json(value: Any) -> str:
    """Return JSON in ASCII: class names may be invalid UTF-8, and formats differ in the text they accept."""
    return json.dumps(value, allow_nan=False)
