"""k nearest neighbours as a layer."""

from __future__ import annotations

import keras

# Added to each class's votes, so that what has none is unlikely and not impossible.
SMOOTHING = 0.1
# So many numbers are held for each image of a batch, which a model file could ask for without holding them.
MOST = 2**20


@keras.saving.register_keras_serializable("kerasexp")
class NearestNeighbours(keras.layers.Layer):
    """Logarithms of the classes' shares of the votes of the nearest examples, by Euclidean distance.

    From float32 [n, f] to [n, classes]; of classes with as many votes the first is the most likely. Nothing of it is
    trained: the examples and their labels are its weights. It is the only layer here that Keras does not have: to load a
    model that holds it with Keras alone, import this module first.
    """

    def __init__(self, examples: int, neighbours: int, classes: int, **kwargs):
        super().__init__(**kwargs)
        if neighbours * classes > MOST:
            raise ValueError(f"{neighbours} votes for {classes} classes are more than {MOST:,} numbers for each image")
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
        # Half the squared distance, but for the length of the features, which is the same for all examples.
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
