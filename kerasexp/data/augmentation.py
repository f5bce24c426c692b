"""Random changes of the training pictures, as functions of (seed, epoch, index)."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from kerasexp.config.data import Augmentation


def affine_rows(how: Augmentation, count: int, size: tuple[int, int], generator: np.random.Generator) -> np.ndarray:
    """Draw one random affine map per picture.

    Args:
        how: the ranges.
        count: number of pictures.
        size: their height and width, in pixels.
        generator: the source of randomness; it is asked for the same numbers whatever the ranges are, but for the flip's,
            which come last.

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
    if how.flip:
        # Mirrored after all else: what is read for the pixel x is what would be for the one opposite.
        mirrored = generator.uniform(-1, 1, count) > 0
        a2, b2 = np.where(mirrored, a2 + a0 * (width - 1), a2), np.where(mirrored, b2 + b0 * (width - 1), b2)
        a0, b0 = np.where(mirrored, -a0, a0), np.where(mirrored, -b0, b0)
    zero = np.zeros(count)
    return np.stack([a0, a1, a2, b0, b1, b2, zero, zero], axis=1).astype(np.float32)


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
