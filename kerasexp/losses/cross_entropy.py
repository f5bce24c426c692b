"""Cross-entropy, plain and with smoothed labels."""

from __future__ import annotations

import keras
from keras import ops

from kerasexp.losses.logit_loss import LogitLoss, are_shares


@keras.saving.register_keras_serializable("kerasexp")
class SmoothedCrossEntropy(LogitLoss):
    """Cross-entropy of labels whose targets keep 1 - s and share s over all classes (Szegedy et al., CVPR 2016)."""

    def __init__(self, label_smoothing: float, name: str = "smoothed_cross_entropy", **keywords):
        super().__init__(name=name, **keywords)
        self.label_smoothing = label_smoothing

    def of_logits(self, labels, logits):
        return self.of_shares(ops.one_hot(labels, logits.shape[-1], dtype=logits.dtype), logits)

    def of_shares(self, shares, logits):
        return keras.losses.categorical_crossentropy(
            shares, logits, from_logits=True, label_smoothing=self.label_smoothing
        )

    def get_config(self):
        return {**super().get_config(), "label_smoothing": self.label_smoothing}


@keras.saving.register_keras_serializable("kerasexp")
class CrossEntropy(keras.losses.SparseCategoricalCrossentropy):
    """Keras's cross-entropy of integer labels and logits, which also takes the shares of the classes."""

    def call(self, y_true, y_pred):
        """Return the loss of each image, float32 [n]."""
        if are_shares(y_true, y_pred):
            return keras.losses.categorical_crossentropy(y_true, y_pred, from_logits=True)
        return super().call(y_true, y_pred)


def cross_entropy(label_smoothing: float) -> keras.losses.Loss:
    """Return the plain cross-entropy, or with smoothing the other one."""
    if label_smoothing:
        return SmoothedCrossEntropy(label_smoothing)
    return CrossEntropy(from_logits=True)
