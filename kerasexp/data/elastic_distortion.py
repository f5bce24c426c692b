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


def warp_elastic(images: tf.Tensor, affine: tf.Tensor, nodes: tf.Tensor, config: Elastic, fill: str) -> tf.Tensor:
    """Change images by an affine map and then by an elastic distortion, in one bilinear reading.

    Args:
        images: float32 [n, height, width, channels].
        affine: float32 [n, 8], see `draw_affine_maps`.
        nodes: float32 [n, 2 * rows * columns], see `draw_nodes`.
        config: alpha and sigma, in pixels.
        fill: as for `warp_affine`.

    Returns:
        float32 [n, height, width, channels].
    """
    return read_bilinear(images, places(affine, nodes, config, tuple(images.shape[1:3])), fill)


def places(affine: tf.Tensor, nodes: tf.Tensor, config: Elastic, size: tuple[int, int]) -> tf.Tensor:
    """Return where each pixel is read: at the affine map of its place and its displacement.

    Simard et al. draw a number in -1..1 for each pixel, smooth them with a Gaussian of standard deviation sigma, and multiply by
    alpha. Here, one normal number stands for the sum of those of a node's pixels, which has the same variance. Smoothed, both
    have the same covariance, within 2 % of the variance, as nodes a sigma apart are denser than the details that a Gaussian leaves.

    The smoothing of a grid of numbers is a matrix product for each axis. So is a sum over 1, y and x, the affine map, for which
    the grid has two more rows and columns.

    Args:
        affine, nodes, config: as for `warp_elastic`.
        size: height and width.

    Returns:
        float32 [n, 2, height, width], pixels down and to the right of the middle of the first pixel.
    """
    rows, columns = grid_of(config, size)
    down, right = (
        tf.constant(np.hstack([_smoothing(side, count, config.sigma), _lines(side)]))
        for side, count in zip(size, (rows, columns), strict=True)
    )
    a0, a1, a2, b0, b1, b2 = tf.unstack(affine[:, :6], num=6, axis=1)
    zero = tf.zeros_like(a0)
    turn = tf.reshape(tf.stack([b1, b0, a1, a0], axis=1), (-1, 2, 2))
    moves = (
        config.alpha
        * math.sqrt(VARIANCE)
        * tf.einsum("nab,nbij->naij", turn, tf.reshape(nodes, (-1, 2, rows, columns)))
    )
    lines = tf.reshape(tf.stack([b2, b0, b1, zero, a2, a0, a1, zero], axis=1), (-1, 2, 2, 2))
    grid = tf.pad(moves, ((0, 0), (0, 0), (0, 2), (0, 2))) + tf.pad(lines, ((0, 0), (0, 0), (rows, 0), (columns, 0)))
    return tf.einsum("ncyj,xj->ncyx", tf.einsum("yi,ncij->ncyj", down, grid), right)


def _lines(side: int) -> np.ndarray:
    """Return 1 and its place for each pixel of an axis: float32 [side, 2]."""
    return np.stack([np.ones(side), np.arange(side)], axis=1).astype(np.float32)


def _smoothing(side: int, nodes: int, sigma: float) -> np.ndarray:
    """Return the weight of each node along an axis at each pixel: float32 [side, nodes]."""
    spacing = side / nodes
    middles = (np.arange(nodes) + 0.5) * spacing - 0.5
    away = (np.arange(side)[:, np.newaxis] - middles) / sigma
    density = np.exp(-(away**2) / 2) / (sigma * math.sqrt(2 * math.pi))
    return (math.sqrt(spacing) * density).astype(np.float32)


def read_bilinear(images: tf.Tensor, at: tf.Tensor, fill: str) -> tf.Tensor:
    """Read images at places between pixels.

    The four pixels around a place lie side by side, so that one gather reads them.

    Args:
        images: float32 [n, height, width, channels].
        at: float32 [n, 2, rows, columns], see `places`.
        fill: as for `warp_affine`.

    Returns:
        float32 [n, rows, columns, channels].
    """
    height, width, channels = images.shape[1:]
    last = tf.constant([height - 1, width - 1], tf.float32, (2, 1, 1))
    at = _within(at, last, fill)
    first = tf.floor(at)
    down, right = tf.unstack((at - first)[..., tf.newaxis], axis=1)
    top, left = tf.unstack(tf.cast(first, tf.int32), axis=1)
    # One pixel of the border before the first one, and two after the last one.
    across, of_image = width + 2, tf.range(tf.shape(images)[0]) * ((height + 2) * (width + 2)) + (width + 3)
    found = tf.gather(_around(images), top * across + left + of_image[:, tf.newaxis, tf.newaxis])
    one, two, three, four = tf.split(found, 4, axis=-1)
    above, below = one + right * (two - one), three + right * (four - three)
    return above + down * (below - above)


def _around(images: tf.Tensor) -> tf.Tensor:
    """Return each pixel, the one on its right, and the two below, side by side: float32 [pixels, 4 * channels].

    The convolution only copies, in half of the time of slices that are joined.
    """
    channels = images.shape[-1]
    corners = np.eye(4 * channels, dtype=np.float32).reshape(2, 2, channels, 4 * channels)
    copied = tf.nn.conv2d(images, tf.constant(corners), 1, [[0, 0], [1, 2], [1, 2], [0, 0]])
    return tf.reshape(copied, (-1, 4 * channels))


def _within(at: tf.Tensor, last: tf.Tensor, fill: str) -> tf.Tensor:
    """Return where in an image places are read: within it or, with a constant border, at most a pixel beyond it.

    Args:
        at: float32 [n, 2, rows, columns].
        last: the last place of each axis, float32 [2, 1, 1].
        fill: as for `warp_affine`.
    """
    side = last + 1
    if fill == "constant":
        return tf.clip_by_value(at, -1.0, side)
    if fill == "reflect":
        turn = tf.math.floormod(at + 0.5, 2 * side)
        at = tf.minimum(turn, 2 * side - turn) - 0.5
    elif fill == "wrap":
        # As the affine map's operation counts the turns, whose seam lies on the last pixel.
        seam = tf.maximum(last, 1.0)
        at += side * tf.where(at < 0, tf.floor(-at / seam) + 1, -tf.floor(at / seam) * tf.cast(at > last, tf.float32))
    return tf.clip_by_value(at, 0.0, last)
