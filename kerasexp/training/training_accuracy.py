"""The accuracy during training: measured, or estimated from complementary labels, which name a class that is excluded."""

from __future__ import annotations

import keras
from keras import ops

from kerasexp.config.training_section import Training, labels_are_complementary
from kerasexp.losses.logit_loss import are_shares
from kerasexp.models.decoding_layer import Decoding


def build_accuracy(training: Training, decoding: Decoding) -> keras.metrics.Metric:
    """Return the metric `accuracy` of labels [n] and logits [n, classes]; the logits are decoded first.

    With several labels an image, labels [n, classes], it is the exact match at thresholds of 0.5: those that are fitted on
    val are not known yet.
    """
    if training.loss.multi_label:
        return keras.metrics.MeanMetricWrapper(exact_match, name="accuracy")
    accuracy = estimated_accuracy if labels_are_complementary(training) else class_accuracy
    return keras.metrics.MeanMetricWrapper(lambda y_true, y_pred: accuracy(y_true, decoding(y_pred)), name="accuracy")


def class_accuracy(y_true, y_pred):
    """Return 1 for each image whose class is predicted; of mixed labels [n, classes], the one with the largest share.

    float32 [n].
    """
    if are_shares(y_true, y_pred):
        return keras.metrics.categorical_accuracy(y_true, y_pred)
    return keras.metrics.sparse_categorical_accuracy(y_true, y_pred)


def exact_match(y_true, y_pred):
    """Return 1 for each image with all labels right, present and absent, from logits [n, classes]; float32 [n].

    Of mixed labels, those with a share above 1/2 are present.
    """
    present = ops.cast(y_true, "float32") > 0.5
    return ops.cast(ops.all(ops.equal(present, y_pred > 0), axis=-1), "float32")


def estimated_accuracy(y_true, y_pred):
    """Return 1 for each image whose excluded class is not predicted, else 2 - classes; float32 [n].

    The mean estimates the accuracy; see `evaluation/complementary_metrics.py`.
    """
    excluded = ops.cast(ops.reshape(y_true, (-1,)), "int32")
    hit = ops.cast(ops.equal(ops.cast(ops.argmax(y_pred, axis=-1), "int32"), excluded), "float32")
    return 1.0 - (y_pred.shape[-1] - 1) * hit
