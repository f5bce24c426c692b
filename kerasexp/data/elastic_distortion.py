"""Elastic distortions: images read through a smooth random field of displacements (Simard et al., ICDAR 2003)."""

from __future__ import annotations

import math

import numpy as np
import tensorflow as tf

from kerasexp.config.augmentation_section import Elastic

# Variance of the noise that is smoothed, uniform in -1..1.
VARIANCE = 1 / 3


def grid_of(config: Elastic, size: tuple[int, int]) -> tuple[int, int]:
    """Return rows and columns of the nodes whose values make a field: a node stands for sigma pixels a side, or fewer."""
    return tuple(math.ceil(side / config.sigma) for side in size)


def draw_nodes(config: Elastic, count: int, size: tuple[int, int], generator: np.random.Generator) -> np.ndarray:
    """Draw the values of the nodes: standard normal, float32 [count, 2 * rows * columns]."""
    rows, columns = grid_of(config, size)
    return generator.standard_normal((count, 2 * rows * columns), np.float32)


def displacements(nodes: tf.Tensor, config: Elastic, size: tuple[int, int]) -> tf.Tensor:
    """Return the displacement of each pixel, in pixels down and to the right.

    Simard et al. draw a number in -1..1 for each pixel, smooth them with a Gaussian of standard deviation sigma, and multiply by
    alpha. Here, one normal number stands for the sum of those of a node's pixels, which has the same variance. Smoothed, both
    have the same covariance, within 2 % of the variance, as nodes a sigma apart are denser than the details that a Gaussian leaves.

    Args:
        nodes: float32 [n, 2 * rows * columns], see `draw_nodes`.
        config: alpha and sigma, in pixels.
        size: height and width.

    Returns:
        float32 [n, height, width, 2].
    """
    rows, columns = grid_of(config, size)
    down, right = (
        tf.constant(_smoothing(side, count, config.sigma)) for side, count in zip(size, (rows, columns), strict=True)
    )
    grid = tf.reshape(nodes, (-1, 2, rows, columns))
    field = tf.einsum("yi,ncij->ncyj", down, grid)
    return config.alpha * math.sqrt(VARIANCE) * tf.einsum("ncyj,xj->nyxc", field, right)


def _smoothing(side: int, nodes: int, sigma: float) -> np.ndarray:
    """Return the weight of each node along an axis at each pixel: float32 [side, nodes]."""
    spacing = side / nodes
    middles = (np.arange(nodes) + 0.5) * spacing - 0.5
    away = (np.arange(side)[:, np.newaxis] - middles) / sigma
    density = np.exp(-(away**2) / 2) / (sigma * math.sqrt(2 * math.pi))
    return (math.sqrt(spacing) * density).astype(np.float32)


def warp_elastic(images: tf.Tensor, affine: tf.Tensor, field: tf.Tensor, fill: str) -> tf.Tensor:
    """Displace the pixels of images that an affine map has changed, both in one bilinear reading.

    Args:
        images: float32 [n, height, width, channels].
        affine: float32 [n, 8], see `draw_affine_maps`.
        field: float32 [n, height, width, 2], see `displacements`.
        fill: as for `warp_affine`.

    Returns:
        float32 [n, height, width, channels].
    """
    height, width = images.shape[1:3]
    y = field[..., 0] + tf.range(height, dtype=tf.float32)[:, tf.newaxis]
    x = field[..., 1] + tf.range(width, dtype=tf.float32)
    a0, a1, a2, b0, b1, b2 = (affine[:, k, tf.newaxis, tf.newaxis] for k in range(6))
    return read_bilinear(images, b0 * x + b1 * y + b2, a0 * x + a1 * y + a2, fill)


def read_bilinear(images: tf.Tensor, y: tf.Tensor, x: tf.Tensor, fill: str) -> tf.Tensor:
    """Read images at places between pixels.

    The four pixels around a place lie side by side, so that one gather reads them.

    Args:
        images: float32 [n, height, width, channels].
        y, x: float32 [n, ...], pixels down and to the right of the middle of the first pixel.
        fill: as for `warp_affine`.

    Returns:
        float32 [n, ..., channels].
    """
    height, width, channels = images.shape[1:]
    y, x = _within(y, height, fill), _within(x, width, fill)
    # From -1, the pixel before the first one, to the last but one after which there is still a pixel of the border.
    top, left = tf.minimum(tf.floor(y), height - 1), tf.minimum(tf.floor(x), width - 1)
    down, right = y - top, x - left
    padded = tf.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)))
    corners = [padded[:, :-1, :-1], padded[:, :-1, 1:], padded[:, 1:, :-1], padded[:, 1:, 1:]]
    around = tf.reshape(tf.concat(corners, -1), (-1, 4 * channels))
    first = tf.range(tf.shape(images)[0]) * ((height + 1) * (width + 1))
    place = (tf.cast(top, tf.int32) + 1) * (width + 1) + tf.cast(left, tf.int32) + 1
    found = tf.gather(around, place + tf.reshape(first, (-1, *[1] * (len(y.shape) - 1))))
    weights = ((1 - down) * (1 - right), (1 - down) * right, down * (1 - right), down * right)
    parts = tf.split(found, 4, axis=-1)
    return tf.add_n([weight[..., tf.newaxis] * part for weight, part in zip(weights, parts, strict=True)])


def _within(place: tf.Tensor, side: int, fill: str) -> tf.Tensor:
    """Return where in an image a place is read: within it or, with a constant border, at most a pixel beyond it."""
    if fill == "constant":
        return tf.clip_by_value(place, -1.0, float(side))
    if fill == "reflect":
        turn = tf.math.floormod(place + 0.5, 2.0 * side)
        place = tf.minimum(turn, 2.0 * side - turn) - 0.5
    elif fill == "wrap" and side > 1:
        # As the affine map's operation counts the turns, whose seam lies on the last pixel.
        seam = side - 1.0
        turns = tf.where(
            place < 0, tf.floor(-place / seam) + 1, -tf.floor(place / seam) * tf.cast(place > seam, tf.float32)
        )
        place += side * turns
    return tf.clip_by_value(place, 0.0, side - 1.0)
