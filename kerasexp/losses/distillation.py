"""The loss of a network that learns from teachers: their probabilities, or the features of one."""

from __future__ import annotations

from collections.abc import Callable

import keras
from keras import ops

# Below this float32 has no normal numbers, and a logarithm would be that of 0.
LEAST = 1e-37
# Nearest that a probability of one label among several comes to 0 and 1, where float32 still tells it from them.
NEAREST = 1e-7

# Of the teachers' probabilities at the temperature and the logits of the network, both [n, classes]: a scalar.
TeacherLoss = Callable[[keras.KerasTensor, keras.KerasTensor], keras.KerasTensor]


def at_temperature(probabilities, temperature: float, multi_label: bool):
    """Return the probabilities [n, classes] of the same logits at a temperature.

    Logits follow from probabilities but for a constant, which a softmax does not notice.
    """
    if multi_label:
        return ops.sigmoid(log_odds(probabilities) / temperature)
    return ops.softmax(ops.log(ops.maximum(probabilities, LEAST)) / temperature, axis=-1)


def log_odds(probabilities):
    """Return the logits of probabilities of labels, of which an image may have several."""
    inside = ops.clip(probabilities, NEAREST, 1 - NEAREST)
    return ops.log(inside) - ops.log(1 - inside)


def teacher_loss(temperature: float, multi_label: bool) -> TeacherLoss:
    """Return temperature^2 * KL(teacher, network), both at the temperature (Hinton et al. 2015, section 2).

    With several labels an image, it is the mean over the classes, each present or absent.
    """
    if multi_label:
        return lambda taught, logits: temperature**2 * _binary_divergence(taught, logits / temperature)
    # An object, for of its default, the name `kl_divergence`, Keras 3.15 takes the divergence of logits, not of probabilities.
    keras_loss = keras.distillation.LogitsDistillation(temperature, keras.losses.KLDivergence())
    # Keras takes the teacher's logits. Those of a mean of probabilities are its logarithm times the temperature.
    return lambda taught, logits: keras_loss.compute_loss(temperature * ops.log(ops.maximum(taught, LEAST)), logits)


def _binary_divergence(taught, logits):
    cross_entropy = keras.losses.BinaryCrossentropy(from_logits=True)
    return cross_entropy(taught, logits) - cross_entropy(taught, log_odds(taught))


class FeatureLoss(keras.layers.Layer):
    """How much of a teacher's features a linear map of the network's features does not explain (FitNets, ICLR 2015).

    It is the squared error of each feature over its variance, averaged: 1 for a map that knows their mean only, 0 for one that
    has them all. The map is trained with the network and left behind with the training.

    Args:
        mean, deviation: of the teacher's features over training images, float32 [f].
        seed: of the map's first weights.
    """

    def __init__(self, mean, deviation, seed: int, **keywords):
        super().__init__(**keywords)
        initializer = keras.initializers.GlorotUniform(seed)
        self.map = keras.layers.Dense(len(mean), kernel_initializer=initializer, dtype="float32", name="feature_map")
        self.mean, self.deviation = mean, deviation
        self.error = keras.losses.MeanSquaredError()

    def build(self, taught_shape, learned_shape):
        self.map.build(learned_shape)

    def call(self, taught, learned):
        """Return the loss, a scalar, of the teacher's features [n, f] and those of the network [n, g]."""
        # A feature that is the same for all images has nothing to explain.
        varies = self.deviation > 0
        scaled = ops.where(varies, (ops.cast(taught, "float32") - self.mean) / ops.where(varies, self.deviation, 1), 0)
        return self.error(scaled, self.map(learned))
