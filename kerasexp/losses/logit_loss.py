"""The base class of losses: integer labels, logits, float32."""

from __future__ import annotations

import keras
from keras import ops


class LogitLoss(keras.losses.Loss):
    """A loss of labels int [n] (or [n, 1]) and logits [n, classes] of any float type, computed in float32."""

    def call(self, y_true, y_pred):
        """Return the loss of each image, float32 [n]."""
        return self.of_logits(ops.cast(ops.reshape(y_true, (-1,)), "int32"), ops.cast(y_pred, "float32"))

    def of_logits(self, labels, logits):
        """Return the loss of each image, float32 [n], from int32 labels and float32 logits."""
        raise NotImplementedError
