"""Cross-entropy, plain and with smoothed labels."""

from __future__ import annotations

import keras

from kerasexp.config.training import Loss


class SmoothedCrossEntropy(keras.losses.Loss):
    """Cross-entropy of integer labels whose targets keep 1 - s and share s over all classes (Szegedy et al., CVPR 2016)."""

    def __init__(self, label_smoothing: float, name: str = "smoothed_cross_entropy", **kwargs):
        super().__init__(name=name, **kwargs)
        self.label_smoothing = label_smoothing

    def call(self, y_true, y_pred):
        """Return the loss [n] of labels [n] (or [n, 1]) and probabilities [n, classes]."""
        labels = keras.ops.cast(keras.ops.reshape(y_true, (-1,)), "int32")
        targets = keras.ops.one_hot(labels, y_pred.shape[-1], dtype=y_pred.dtype)
        return keras.losses.categorical_crossentropy(targets, y_pred, label_smoothing=self.label_smoothing)

    def get_config(self):
        return {**super().get_config(), "label_smoothing": self.label_smoothing}


def cross_entropy(loss: Loss) -> keras.losses.Loss:
    """Return Keras's own cross-entropy, or the smoothed one."""
    if loss.label_smoothing:
        return SmoothedCrossEntropy(loss.label_smoothing)
    return keras.losses.SparseCategoricalCrossentropy()
