"""Heads that scikit-learn fits, as layers: what is saved are the numbers that it found, and nothing of scikit-learn."""

from __future__ import annotations

import keras
import numpy as np

from kerasexp.models.label_mapping import NEVER
from kerasexp.models.nearest_neighbours import NearestNeighbours


def linear_logits(
    features: keras.KerasTensor, mean: np.ndarray, scale: np.ndarray, coefficients: np.ndarray, intercepts: np.ndarray
) -> keras.KerasTensor:
    """Return `coefficients @ (features - mean) / scale + intercepts`, as one dense layer.

    Args:
        features: [n, f], as the network gives them.
        mean, scale: [f].
        coefficients: [classes, f].
        intercepts: [classes].
    """
    kernel = coefficients / scale
    return _dense(features, kernel.T, intercepts - kernel @ mean, "logits")


def rbf_logits(
    features: keras.KerasTensor,
    mean: np.ndarray,
    scale: np.ndarray,
    support: np.ndarray,
    gamma: float,
    coefficients: np.ndarray,
    intercepts: np.ndarray,
) -> keras.KerasTensor:
    """Return `coefficients @ exp(-gamma |x - s|^2) + intercepts` of scaled features x and support vectors s.

    Of |x|^2 - 2 x s + |s|^2 the middle is a dense layer, whose bias is the last.

    Args:
        features, mean, scale: as in `linear_logits`.
        support: [s, f], scaled.
        gamma: width of the kernel.
        coefficients: [classes, s].
        intercepts: [classes].
    """
    scaled = _scaled(features, mean, scale)
    squares = keras.layers.Multiply(name="head_squares", dtype="float32")([scaled, scaled])
    own = _dense(squares, np.full((len(mean), 1), -gamma), None, "head_length")
    products = _dense(scaled, 2 * gamma * support.T, -gamma * np.square(support).sum(axis=1), "head_products")
    distances = keras.layers.Add(name="head_distances", dtype="float32")([products, own])
    kernel = keras.layers.Activation("exponential", dtype="float32", name="head_kernel")(distances)
    return _dense(kernel, coefficients.T, intercepts, "logits")


def neighbour_logits(
    features: keras.KerasTensor,
    mean: np.ndarray,
    scale: np.ndarray,
    examples: np.ndarray,
    labels: np.ndarray,
    neighbours: int,
    classes: int,
) -> keras.KerasTensor:
    """Return logarithms of the shares that each class has in the votes of the nearest examples.

    Args:
        features, mean, scale: as in `linear_logits`.
        examples: [e, f], scaled.
        labels: int [e].
        neighbours: how many of them vote.
        classes: how many there are.
    """
    layer = NearestNeighbours(len(examples), neighbours, classes, dtype="float32", name="logits")
    logits = layer(_scaled(features, mean, scale))
    layer.set_weights([examples.T, labels])
    return logits


def for_all_classes(
    coefficients: np.ndarray, intercepts: np.ndarray, present: np.ndarray, classes: int, half: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Return coefficients [classes, f] and intercepts [classes], of which scikit-learn gives one row for two classes.

    Args:
        coefficients, intercepts: [p, f] and [p], p being 1 for two classes.
        present: the labels of those that were learned.
        classes: how many there are; of the others nothing is known.
        half: whether the difference between two classes' logits is the row, as in logistic regression; else each logit is.
    """
    if len(present) == 2:
        share = 0.5 if half else 1.0
        coefficients, intercepts = (share * np.concatenate([-part, part]) for part in (coefficients, intercepts))
    every = np.zeros((classes, coefficients.shape[1])), np.full(classes, NEVER)
    every[0][present], every[1][present] = coefficients, intercepts
    return every


def _scaled(features: keras.KerasTensor, mean: np.ndarray, scale: np.ndarray) -> keras.KerasTensor:
    # Keras's layer for it takes mean and variance as settings, whose number a model file limits; these are weights.
    layer = keras.layers.BatchNormalization(
        center=False, scale=False, epsilon=0.0, trainable=False, dtype="float32", name="head_scaled"
    )
    scaled = layer(features)
    layer.set_weights([mean, np.square(scale)])
    return scaled


def _dense(inputs: keras.KerasTensor, kernel: np.ndarray, bias: np.ndarray | None, name: str) -> keras.KerasTensor:
    layer = keras.layers.Dense(kernel.shape[1], use_bias=bias is not None, dtype="float32", name=name)
    outputs = layer(inputs)
    layer.set_weights([kernel] if bias is None else [kernel, bias])
    return outputs
