"""Triplet loss: embeddings of one class closer to each other than to those of other classes, by a margin."""

from __future__ import annotations

import keras
from keras import ops

# Added before a square root, whose gradient is infinite at 0: equal embeddings have distance 1e-6 and no gradient.
EPSILON = 1e-12
# The same for the length of an embedding: one of all zeros stays as it is, with a gradient below 1e4.
LENGTH_EPSILON = 1e-8
# More than any distance, and far from overflow.
FAR = 1e30


@keras.saving.register_keras_serializable("kerasexp")
class TripletLoss(keras.losses.Loss):
    """[D(anchor, positive) - D(anchor, negative) + margin]_+ over triplets of a batch, D the Euclidean distance.

    `batch_hard`: each image is an anchor once, with the farthest image of its class and the nearest of another; the loss is
    the mean over the anchors (Hermans et al. 2017). `semi_hard`: each ordered pair of a class is an anchor and a positive
    once, with the nearest negative for which D(a, p) < D(a, n) < D(a, p) + margin, or if there is none with the farthest
    negative, which counts 0 beyond the margin; the loss is the mean over the pairs (Schroff et al., CVPR 2015).

    Anchors without a positive or a negative in the batch are left out of the mean; if all are, the loss is 0. The sum is
    taken in float32 whatever the type of the embedding. `batch_hard` needs memory for n^2 numbers, `semi_hard` for n^3 and
    n^2 * f.

    Args:
        margin: by how much farther a negative should be than a positive.
        mining: `batch_hard` or `semi_hard`.
        normalise: whether embeddings are scaled to length 1 first; distances are then between 0 and 2.
    """

    def __init__(
        self,
        margin: float = 0.3,
        mining: str = "batch_hard",
        normalise: bool = True,
        name: str = "triplet",
        **keywords,
    ):
        super().__init__(name=name, **keywords)
        self.margin, self.mining, self.normalise = margin, mining, normalise

    def call(self, y_true, y_pred):
        """Return the loss of labels int [n] (or [n, 1]) and embeddings [n, f], a scalar."""
        labels = ops.cast(ops.reshape(y_true, (-1,)), "int32")
        embedding = unit_length(y_pred) if self.normalise else y_pred
        same = ops.equal(labels[:, None], labels[None, :])
        others = ops.logical_not(ops.eye(ops.shape(labels)[0], dtype="bool"))
        return MINING[self.mining](embedding, ops.logical_and(same, others), ops.logical_not(same), self.margin)

    def get_config(self):
        return {**super().get_config(), "margin": self.margin, "mining": self.mining, "normalise": self.normalise}


def batch_hard(embedding, positives, negatives, margin):
    """Return the mean over anchors of embeddings [n, f]; `positives` and `negatives` are bool [n, n], a row per anchor."""
    # A matrix product finds the hardest images without n x n x f numbers. Its rounding (a thousandth on a GPU that uses TF32)
    # only matters for the choice between almost equal distances: the loss is computed from differences.
    centred = ops.stop_gradient(embedding - ops.mean(embedding, axis=0))
    lengths = ops.sum(ops.square(centred), axis=-1)
    squares = lengths[:, None] + lengths[None, :] - 2 * ops.matmul(centred, ops.transpose(centred))
    farthest = ops.argmax(ops.where(positives, squares, -FAR), axis=1)
    nearest = ops.argmin(ops.where(negatives, squares, FAR), axis=1)
    to_positive = distance(embedding, ops.take(embedding, farthest, axis=0))
    to_negative = distance(embedding, ops.take(embedding, nearest, axis=0))
    valid = ops.logical_and(ops.any(positives, axis=1), ops.any(negatives, axis=1))
    return _mean_hinge(to_positive - to_negative + margin, valid)


def semi_hard(embedding, positives, negatives, margin):
    """Return the mean over pairs of an anchor and a positive; the arguments are those of `batch_hard`."""
    distances = distance(embedding[:, None, :], embedding[None, :, :])
    # Axes: anchor, positive, negative.
    to_positive, to_negative = distances[:, :, None], distances[:, None, :]
    within = ops.logical_and(to_negative > to_positive, to_negative < to_positive + margin)
    within = ops.logical_and(within, negatives[:, None, :])
    nearest = ops.min(ops.where(within, to_negative, FAR), axis=2)
    farthest = ops.max(ops.where(negatives, distances, -FAR), axis=1)[:, None]
    chosen = ops.where(ops.any(within, axis=2), nearest, farthest)
    return _mean_hinge(distances - chosen + margin, ops.logical_and(positives, ops.any(negatives, axis=1)[:, None]))


MINING = {"batch_hard": batch_hard, "semi_hard": semi_hard}


def distance(one, other):
    """Return the Euclidean distance along the last axis."""
    return ops.sqrt(ops.sum(ops.square(one - other), axis=-1) + EPSILON)


def unit_length(embedding):
    """Return embeddings [n, f] scaled to length 1; those of all zeros stay as they are."""
    return embedding / ops.sqrt(ops.sum(ops.square(embedding), axis=-1, keepdims=True) + LENGTH_EPSILON)


def _mean_hinge(values, valid):
    """Return the mean of [values]_+ where `valid`; 0 if nothing is."""
    hinge = ops.where(valid, ops.relu(values), 0)
    return ops.sum(hinge) / ops.maximum(ops.sum(ops.cast(valid, hinge.dtype)), 1)
