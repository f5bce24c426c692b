"""k nearest neighbours as a layer."""

from __future__ import annotations

import keras

# Added to each class's votes, so that a class without votes is unlikely and not impossible.
SMOOTHING = 0.1
# Limit on the intermediate values of one image, which a small model file could otherwise make arbitrarily many.
MAX_VALUES = 2**20


@keras.saving.register_keras_serializable("kerasexp")
class NearestNeighbours(keras.layers.Layer):
    """The logarithm of each class's share of the votes of the nearest examples, by Euclidean distance.

    From features float32 [n, f] to logits [n, classes]; of classes with equal votes the first wins. The examples and their
    labels are its weights, and none of them is trained. Import this module before loading a model that contains this layer
    with Keras alone.
    """

    def __init__(self, examples: int, neighbours: int, classes: int, **kwargs):
        super().__init__(**kwargs)
        if neighbours * classes > MAX_VALUES:
            raise ValueError(f"{neighbours} votes for {classes} classes are more than {MAX_VALUES:,} values per image")
        self.examples, self.neighbours, self.classes = examples, neighbours, classes

    def build(self, shape):
        self.points = self.add_weight(
            shape=(shape[-1], self.examples), initializer="zeros", trainable=False, name="points"
        )
        self.labels = self.add_weight(
            shape=(self.examples,), initializer="zeros", dtype="int32", trainable=False, name="labels"
        )

    def call(self, features):
        ops = keras.ops
        # Minus half the squared distance, without the squared length of the features, which all examples share.
        nearness = ops.matmul(features, self.points) - 0.5 * ops.sum(ops.square(self.points), axis=0)
        _, nearest = ops.top_k(nearness, self.neighbours)
        votes = ops.sum(ops.one_hot(ops.take(self.labels, nearest), self.classes, dtype=self.compute_dtype), axis=1)
        return ops.log((votes + SMOOTHING) / (self.neighbours + SMOOTHING * self.classes))

    def compute_output_shape(self, shape):
        return (*shape[:-1], self.classes)

    def get_config(self):
        return {
            **super().get_config(),
            "examples": self.examples,
            "neighbours": self.neighbours,
            "classes": self.classes,
        }
