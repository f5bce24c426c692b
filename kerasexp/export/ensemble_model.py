"""An ensemble as one model: the mean of what its members say."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from kerasexp.errors import Problem, UserError
from kerasexp.evaluation.ensemble import Ensemble
from kerasexp.saving.calibrated_model import calibrated_model
from kerasexp.saving.checkpoint import Checkpoint

if TYPE_CHECKING:
    import keras


def as_one_checkpoint(ensemble: Ensemble) -> Checkpoint:
    """Return a checkpoint whose model gives the mean of the members' calibrated probabilities; a single member as it is.

    It has the classes, their order and the preprocessing of the first member, and the mean thresholds of all.

    Raises:
        UserError: a member preprocesses images differently than the first.
    """
    import keras

    first = ensemble.members[0]
    if len(ensemble.members) == 1:
        return first
    require_same_input(ensemble)
    images = keras.Input(first.model.input_shape[1:], dtype="uint8", name="ensemble_images")
    outputs = [_probabilities(ensemble, member, f"member_{k}")(images) for k, member in enumerate(ensemble.members, 1)]
    return replace(
        first,
        model=keras.Model(images, keras.layers.Average(dtype="float32", name="mean")(outputs), name="ensemble"),
        temperature=ensemble.temperature,
        thresholds=ensemble.thresholds,
        reject_threshold=ensemble.reject_threshold,
    )


def require_same_input(ensemble: Ensemble) -> None:
    """Raise UserError unless all members make their input from images in the same way."""
    first, *others = zip(ensemble.members, ensemble.names, strict=True)
    problems = [
        Problem(f"preprocesses images differently than {first[1]}, so that they cannot be one model", name)
        for member, name in others
        if member.input_key != first[0].input_key
    ]
    if problems:
        raise UserError(*problems)


def _probabilities(ensemble: Ensemble, member: Checkpoint, name: str) -> keras.Model:
    """Return the model of a member, calibrated and with the ensemble's order of classes."""
    import keras

    model, order = calibrated_model(member.model, member.temperature), ensemble.order(member)
    outputs = model.outputs[0]
    if not np.array_equal(order, np.arange(len(order))):
        outputs = keras.ops.take(outputs, order, axis=1)
    return keras.Model(model.inputs[0], outputs, name=name)
