"""Binary cross-entropy of several labels an image, plain and with weighted classes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import keras
from keras import ops


@keras.saving.register_keras_serializable("kerasexp")
class WeightedBinaryCrossEntropy(keras.losses.Loss):
    """Binary cross-entropy of labels [n, classes] and logits [n, classes], averaged over the classes.

    The part of a class in the images that have it is multiplied by the weight of the class.
    """

    def __init__(self, weights: list[float], label_smoothing: float, name: str = "binary_cross_entropy", **keywords):
        super().__init__(name=name, **keywords)
        self.weights, self.label_smoothing = weights, label_smoothing

    def call(self, y_true, y_pred):
        """Return the loss of each image, float32 [n]."""
        logits = ops.cast(y_pred, "float32")
        targets = ops.cast(y_true, "float32") * (1 - self.label_smoothing) + self.label_smoothing / 2
        present = ops.convert_to_tensor(self.weights, "float32") * targets * ops.softplus(-logits)
        return ops.mean(present + (1 - targets) * ops.softplus(logits), axis=-1)

    def get_config(self):
        return {**super().get_config(), "weights": self.weights, "label_smoothing": self.label_smoothing}


def binary_cross_entropy(weights: list[float] | None, label_smoothing: float) -> keras.losses.Loss:
    """Return Keras's own binary cross-entropy, or with weights [classes] the one above."""
    if weights is None:
        return keras.losses.BinaryCrossentropy(from_logits=True, label_smoothing=label_smoothing)
    return WeightedBinaryCrossEntropy(weights, label_smoothing)


def positive_weights(
    wanted: Literal["balanced"] | Mapping[str, float] | None, counts: list[int], class_names: list[str], images: int
) -> list[float] | None:
    """Return the weight of each class, or None if all are 1.

    Args:
        wanted: the key `class_weights`.
        counts: number of training images of each class.
        class_names: in the order of the classes.
        images: number of training images.
    """
    if wanted is None:
        return None
    if wanted == "balanced":
        # A class that all images have, or none, says nothing about its weight.
        return [(images - count) / count if 0 < count < images else 1.0 for count in counts]
    return [wanted.get(name, 1.0) for name in class_names]
