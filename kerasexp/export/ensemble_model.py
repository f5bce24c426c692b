"""An ensemble as one model: the mean of what its members say."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from kerasexp.evaluation.ensemble import Ensemble
from kerasexp.saving.calibrated_model import calibrated_model
from kerasexp.saving.checkpoint import Checkpoint

if TYPE_CHECKING:
    import keras


def as_one_checkpoint(ensemble: Ensemble) -> Checkpoint:
    """Return a checkpoint whose model gives the mean of the members' calibrated probabilities; a single member as it is.

    It has the classes, their order and the preprocessing of the first member, and the mean thresholds of all.

    Args:
        ensemble: of members that preprocess images in the same way, as a plan makes sure.
    """
    import keras

    first = ensemble.members[0]
    if len(ensemble.members) == 1:
        return first
    images = keras.Input(first.model.input_shape[1:], dtype="uint8", name="ensemble_images")
    outputs = [_probabilities(ensemble, member, f"member_{k}")(images) for k, member in enumerate(ensemble.members, 1)]
    return replace(
        first,
        model=keras.Model(images, keras.layers.Average(dtype="float32", name="mean")(outputs), name="ensemble"),
        temperature=ensemble.temperature,
        thresholds=ensemble.thresholds,
        reject_threshold=ensemble.reject_threshold,
    )


def _probabilities(ensemble: Ensemble, member: Checkpoint, name: str) -> keras.Model:
    """Return the model of a member, calibrated and with the ensemble's order of classes."""
    import keras

    model, order = calibrated_model(member.model, member.temperature), ensemble.order(member)
    outputs = model.outputs[0]
    if not np.array_equal(order, np.arange(len(order))):
        outputs = keras.ops.take(outputs, order, axis=1)
    return keras.Model(model.inputs[0], outputs, name=name)
