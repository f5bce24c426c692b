"""Random changes of the training pictures, as functions of (seed, epoch, index)."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from kerasexp.config.data import Augmentation

# Bends are drawn on a grid of this many points a side and interpolated: neighbouring pixels move together.
GRID = 5


def affine_rows(how: Augmentation, count: int, size: tuple[int, int], generator: np.random.Generator) -> np.ndarray:
    """Draw one random affine map per picture.

    Args:
        how: the ranges.
        count: number of pictures.
        size: their height and width, in pixels.
        generator: the source of randomness; it is asked for the same numbers whatever the ranges are.

    Returns:
        float32 [count, 8]: rows (a0, a1, a2, b0, b1, b2, 0, 0) as ImageProjectiveTransformV3 takes them; output pixel (x, y)
        is read at (a0 x + a1 y + a2, b0 x + b1 y + b2).
    """
    height, width = size
    draw = generator.uniform(-1, 1, (count, 6))
    angle, slant = np.deg2rad(how.rotation) * draw[:, 0], np.tan(np.deg2rad(how.shear) * draw[:, 1])
    zoom_x, zoom_y = 1 + how.zoom * draw[:, 2], 1 + how.zoom * draw[:, 3]
    shift_x, shift_y = how.shift * width * draw[:, 4], how.shift * height * draw[:, 5]
    cos, sin = np.cos(angle), np.sin(angle)
    # Read backwards: undo the rotation, then the slant, then the zoom, all about the picture's middle.
    a0, a1 = (cos - slant * -sin) / zoom_x, (sin - slant * cos) / zoom_x
    b0, b1 = -sin / zoom_y, cos / zoom_y
    middle_x, middle_y = (width - 1) / 2, (height - 1) / 2
    a2 = middle_x - a0 * (middle_x + shift_x) - a1 * (middle_y + shift_y)
    b2 = middle_y - b0 * (middle_x + shift_x) - b1 * (middle_y + shift_y)
    zero = np.zeros(count)
    return np.stack([a0, a1, a2, b0, b1, b2, zero, zero], axis=1).astype(np.float32)


def bends(how: Augmentation, count: int, size: tuple[int, int], generator: np.random.Generator) -> np.ndarray:
    """Draw one coarse field of displacements per picture: float32 [count, GRID, GRID, 2], in pixels (y, x)."""
    scale = how.elastic * np.array(size)
    return (generator.standard_normal((count, GRID, GRID, 2)) * scale).astype(np.float32)


def warp(images: tf.Tensor, affine: tf.Tensor, fill: str) -> tf.Tensor:
    """Apply one affine map per picture, interpolating linearly.

    Args:
        images: float32 [n, height, width, channels].
        affine: float32 [n, 8], see `affine_rows`.
        fill: what lies beyond the border.

    Returns:
        float32 [n, height, width, channels].
    """
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=images,
        transforms=affine,
        output_shape=tf.shape(images)[1:3],
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode=fill.upper(),
    )


def bend(images: tf.Tensor, field: tf.Tensor) -> tf.Tensor:
    """Displace the pixels by a smooth field, interpolating linearly (Simard et al., ICDAR 2003).

    Args:
        images: float32 [n, height, width, channels].
        field: float32 [n, GRID, GRID, 2], displacements (y, x) in pixels, see `bends`.
    """
    height, width = images.shape[1], images.shape[2]
    flow = tf.image.resize(field, (height, width), method="bicubic")
    rows, columns = tf.meshgrid(tf.range(height, dtype=tf.float32), tf.range(width, dtype=tf.float32), indexing="ij")
    y = tf.clip_by_value(rows + flow[..., 0], 0.0, height - 1.0)
    x = tf.clip_by_value(columns + flow[..., 1], 0.0, width - 1.0)
    top, left = tf.minimum(tf.floor(y), height - 2.0), tf.minimum(tf.floor(x), width - 2.0)
    down, right = (y - top)[..., tf.newaxis], (x - left)[..., tf.newaxis]
    flat = tf.reshape(images, (tf.shape(images)[0], height * width, images.shape[3]))
    corner = tf.cast(top * width + left, tf.int32)

    def at(offset: int) -> tf.Tensor:
        return tf.gather(flat, corner + offset, batch_dims=1)

    upper = at(0) * (1 - right) + at(1) * right
    lower = at(width) * (1 - right) + at(width + 1) * right
    return upper * (1 - down) + lower * down
