"""Center loss: embeddings close to the center of their class, which moves with them (Wen et al., ECCV 2016)."""

from __future__ import annotations

import keras
from keras import ops


class CenterLoss(keras.layers.Layer):
    """1/2 ||f - c_y||^2, the mean over the batch, f the embedding of an image and c_y the center of its class.

    It is the mean and not the paper's sum, so that its weight means the same at any batch size, as with cross-entropy. Each
    call then moves the centers, not by gradient: c_j -= alpha * sum_{y=j}(c_j - f) / (1 + n_j), n_j the number of images of
    class j in the batch. So it must only be called on training batches. The centers are non-trainable weights that begin at
    0. Centers and loss are float32 whatever the type of the embedding.

    Args:
        classes: number of classes.
        width: f, the width of the embedding.
        alpha: factor of the move of each center.
    """

    def __init__(self, classes: int, width: int, alpha: float = 0.5, name: str = "center", dtype: str = "float32"):
        super().__init__(name=name, dtype=dtype)
        self.classes, self.width, self.alpha = classes, width, alpha
        self.centers = self.add_weight(shape=(classes, width), initializer="zeros", trainable=False, name="centers")

    def call(self, labels, embedding):
        """Return the loss of labels int [n] (or [n, 1]) and embeddings [n, f], a scalar, and move the centers."""
        labels = ops.cast(ops.reshape(labels, (-1,)), "int32")
        own = ops.take(self.centers, labels, axis=0)
        away = own - embedding
        counts = ops.segment_sum(ops.ones_like(away[:, 0]), labels, self.classes)
        moved = ops.segment_sum(ops.stop_gradient(away), labels, self.classes) / (1 + counts)[:, None]
        self.centers.assign_sub(self.alpha * moved)
        return ops.mean(ops.sum(ops.square(away), axis=-1)) / 2
