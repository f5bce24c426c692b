"""The base class of losses: labels, logits, float32."""

from __future__ import annotations

import keras
from keras import ops


class LogitLoss(keras.losses.Loss):
    """A loss of labels int [n] (or [n, 1]) and logits [n, classes] of any float type, computed in float32.

    Labels may also be the shares of the classes [n, classes], as of mixed images, where `of_shares` is defined.
    """

    def call(self, y_true, y_pred):
        """Return the loss of each image, float32 [n]."""
        if are_shares(y_true, y_pred):
            return self.of_shares(ops.cast(y_true, "float32"), ops.cast(y_pred, "float32"))
        return self.of_logits(ops.cast(ops.reshape(y_true, (-1,)), "int32"), ops.cast(y_pred, "float32"))

    def of_logits(self, labels, logits):
        """Return the loss of each image, float32 [n], from int32 labels and float32 logits."""
        raise NotImplementedError

    def of_shares(self, shares, logits):
        """Return the loss of each image, float32 [n], from the shares of its classes and logits, float32 [n, classes]."""
        raise NotImplementedError(f"{self.name} takes no mixed labels")


def are_shares(labels, logits) -> bool:
    """Return whether labels are the shares of the classes [n, classes], and not integers [n] or [n, 1]."""
    return len(labels.shape) == 2 and labels.shape[-1] == logits.shape[-1]
