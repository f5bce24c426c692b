"""The training step of sharpness-aware minimisation (SAM; Foret et al., ICLR 2021)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf


def sharpness_aware_step(rho: float) -> Callable[[keras.Model, Any], dict[str, Any]]:
    """Return a training step that takes the gradient where the loss of the batch rises fastest, at a distance of `rho`.

    The first pass is that of an ordinary step: its loss and metrics are reported, and its statistics of batch normalisation are
    kept. The second pass has the same random numbers, so that dropout leaves out the same units, and changes nothing but the
    gradient.

    Args:
        rho: the length of the step uphill, in all weights together.
    """

    def train_step(model: keras.Model, data: Any) -> dict[str, Any]:
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        weights = model.trainable_weights
        # A model that adds losses counts each of them in a metric of its own, in every pass.
        counted = [variable for metric in model.metrics for variable in metric.variables]
        others = [*model.non_trainable_variables, *counted]
        here, before = _values(weights), _values(others)
        y_pred, loss, gradients = _gradients(model, x, y, sample_weight)
        after = _values(others)
        known = [gradient for gradient in gradients if gradient is not None]
        length = rho / (tf.linalg.global_norm(known) + keras.config.epsilon())
        uphill = [
            value if gradient is None else value + length * tf.cast(gradient, value.dtype)
            for value, gradient in zip(here, gradients, strict=True)
        ]
        _assign(weights, uphill)
        _assign(others, before)
        *_, gradients = _gradients(model, x, y, sample_weight)
        _assign(weights, here)
        _assign(others, after)
        model._loss_tracker.update_state(loss, sample_weight=tf.shape(keras.tree.flatten(x)[0])[0])
        model.optimizer.apply_gradients(zip(gradients, weights, strict=True))
        return model.compute_metrics(x, y, y_pred, sample_weight=sample_weight)

    return train_step


def _gradients(model: keras.Model, x: Any, y: Any, sample_weight: Any) -> tuple[Any, tf.Tensor, list[tf.Tensor | None]]:
    """Return the outputs of a batch, its loss, and the gradients, those of the scaled loss where the optimizer scales it."""
    with tf.GradientTape() as tape:
        y_pred = model(x, training=True)
        loss = model.compute_loss(x=x, y=y, y_pred=y_pred, sample_weight=sample_weight, training=True)
        scaled = model.optimizer.scale_loss(loss)
    return y_pred, loss, tape.gradient(scaled, [variable.value for variable in model.trainable_weights])


def _values(variables: Sequence[keras.Variable]) -> list[tf.Tensor]:
    return [tf.identity(variable.value) for variable in variables]


def _assign(variables: Sequence[keras.Variable], values: Sequence[tf.Tensor]) -> None:
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)
