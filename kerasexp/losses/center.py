"""Center loss: the images of a class are drawn to a point that follows them (Wen et al., ECCV 2016)."""

from __future__ import annotations

import keras
from keras import ops


class CenterLoss(keras.layers.Layer):
    """1/2 ||f - c_y||^2, the mean over the batch, f the embedding of an image and c_y the center of its class.

    The mean and not the paper's sum, so that its weight means the same at any batch size, as with cross-entropy. Each call
    then moves the centers, not by gradient: c_j -= alpha * sum_{y=j}(c_j - f) / (1 + n_j), n_j the batch's images of class
    j. So it is called on the batches that are learned from, and on no others. The centers are weights that are not trained,
    and begin at 0. They and the loss are float32 whatever the embedding's type.

    Args:
        classes: how many.
        width: f, of the embedding.
        alpha: how far a center moves to its images, of the way that 1 / (1 + n_j) leaves.
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
