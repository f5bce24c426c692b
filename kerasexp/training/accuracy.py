"""The accuracy that is shown while a model trains: measured, or estimated from labels that say what a picture is NOT."""

from __future__ import annotations

import keras
from keras import ops

from kerasexp.config.rules import labels_are_complementary
from kerasexp.config.training import Training


def build_accuracy(training: Training) -> keras.metrics.Metric:
    """Return a metric called `accuracy` of labels [n] and logits [n, classes]."""
    if not labels_are_complementary(training):
        return keras.metrics.SparseCategoricalAccuracy(name="accuracy")
    sign = -1.0 if training.decode == "argmin" else 1.0
    return keras.metrics.MeanMetricWrapper(
        lambda y_true, y_pred: estimated_accuracy(y_true, sign * y_pred), name="accuracy"
    )


def estimated_accuracy(y_true, y_pred):
    """Return 1 for each picture whose excluded class is not predicted, and 2 - classes for the others, float32 [n].

    Their mean estimates the accuracy; see `evaluation/complementary.py`.
    """
    excluded = ops.cast(ops.reshape(y_true, (-1,)), "int32")
    hit = ops.cast(ops.equal(ops.cast(ops.argmax(y_pred, axis=-1), "int32"), excluded), "float32")
    return 1.0 - (y_pred.shape[-1] - 1) * hit
