"""Classical heads as Keras layers: scikit-learn fits them, and only the fitted numbers are saved."""

from __future__ import annotations

import keras
import numpy as np

from kerasexp.models.label_mapping_layer import IMPOSSIBLE_LOGIT
from kerasexp.models.nearest_neighbours_layer import NearestNeighbours


def linear_logits(
    features: keras.KerasTensor, mean: np.ndarray, scale: np.ndarray, coefficients: np.ndarray, intercepts: np.ndarray
) -> keras.KerasTensor:
    """Return `coefficients @ (features - mean) / scale + intercepts`, as one dense layer.

    Args:
        features: [n, f], unscaled.
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

    The squared distance is |x|^2 - 2 x s + |s|^2; a dense layer computes the product, with |s|^2 as its bias.

    Args:
        features, mean, scale: as in `linear_logits`.
        support: [s, f], scaled.
        gamma: inverse width of the kernel.
        coefficients: [classes, s].
        intercepts: [classes].
    """
    scaled = _scaled(features, mean, scale)
    squares = keras.layers.Multiply(name="head_squares", dtype="float32")([scaled, scaled])
    lengths = _dense(squares, np.full((len(mean), 1), -gamma), None, "head_length")
    products = _dense(scaled, 2 * gamma * support.T, -gamma * np.square(support).sum(axis=1), "head_products")
    distances = keras.layers.Add(name="head_distances", dtype="float32")([products, lengths])
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
    """Return the logarithm of each class's share of the votes of the nearest examples.

    Args:
        features, mean, scale: as in `linear_logits`.
        examples: [e, f], scaled.
        labels: int [e].
        neighbours: the number of examples that vote.
        classes: the number of classes.
    """
    layer = NearestNeighbours(len(examples), neighbours, classes, dtype="float32", name="logits")
    logits = layer(_scaled(features, mean, scale))
    layer.set_weights([examples.T, labels])
    return logits


def for_all_classes(
    coefficients: np.ndarray, intercepts: np.ndarray, present: np.ndarray, classes: int, half: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Return scikit-learn's coefficients and intercepts as one row per class: [classes, f] and [classes].

    Args:
        coefficients, intercepts: [p, f] and [p]; p is 1 for two classes.
        present: the labels that were in the training images.
        classes: the number of classes; those that were not in the training images get probability 0.
        half: with two classes, whether the row is the difference of the two logits, as in logistic regression; else it is
            each logit up to its sign.
    """
    if len(present) == 2:
        share = 0.5 if half else 1.0
        coefficients, intercepts = (share * np.concatenate([-part, part]) for part in (coefficients, intercepts))
    all_coefficients, all_intercepts = np.zeros((classes, coefficients.shape[1])), np.full(classes, IMPOSSIBLE_LOGIT)
    all_coefficients[present], all_intercepts[present] = coefficients, intercepts
    return all_coefficients, all_intercepts


def _scaled(features: keras.KerasTensor, mean: np.ndarray, scale: np.ndarray) -> keras.KerasTensor:
    # Keras's Normalization takes mean and variance as arguments, whose length model files limit; here they are weights.
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
