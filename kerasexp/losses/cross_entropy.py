"""Cross-entropy, plain and with smoothed labels."""

from __future__ import annotations

import keras
from keras import ops

from kerasexp.losses.logit_loss import LogitLoss


@keras.saving.register_keras_serializable("kerasexp")
class SmoothedCrossEntropy(LogitLoss):
    """Cross-entropy of integer labels whose targets keep 1 - s and share s over all classes (Szegedy et al., CVPR 2016)."""

    def __init__(self, label_smoothing: float, name: str = "smoothed_cross_entropy", **keywords):
        super().__init__(name=name, **keywords)
        self.label_smoothing = label_smoothing

    def of_logits(self, labels, logits):
        targets = ops.one_hot(labels, logits.shape[-1], dtype=logits.dtype)
        return keras.losses.categorical_crossentropy(
            targets, logits, from_logits=True, label_smoothing=self.label_smoothing
        )

    def get_config(self):
        return {**super().get_config(), "label_smoothing": self.label_smoothing}


def cross_entropy(label_smoothing: float) -> keras.losses.Loss:
    """Return Keras's own cross-entropy, or with smoothing the one above."""
    if label_smoothing:
        return SmoothedCrossEntropy(label_smoothing)
    return keras.losses.SparseCategoricalCrossentropy(from_logits=True)
