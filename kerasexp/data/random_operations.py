"""RandAugment: a few operations on each image, drawn from fourteen (Cubuk et al., NeurIPS 2020).

Those that move pixels are part of the affine map, so that pixels are read once; the others follow in their order. Strengths are
those of torchvision, whose magnitudes are 0 to 30.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from kerasexp.config.augmentation_section import MOST_MAGNITUDE, RandAugment
from kerasexp.data.image_filters import change_colour

# Operations that move pixels, with their strength at the highest magnitude: tangents, shares of the sides, degrees.
MOVES = {"shear_x": 0.3, "shear_y": 0.3, "translate_x": 150 / 331, "translate_y": 150 / 331, "rotate": 30.0}
# Change of a factor of 1, either way, and bits that are lost, at the highest magnitude.
FACTOR, BITS = 0.9, 4
# Weights of Pillow's filter SMOOTH: of a pixel, and of each of its eight neighbours.
MIDDLE, NEIGHBOUR = 5 / 13, 1 / 13


def draw_operations(config: RandAugment, count: int, generator: np.random.Generator) -> np.ndarray:
    """Draw the operations of each image: float32 [count, 2 * operations], their numbers, then their amounts.

    The number is the position in `OPERATIONS`, after which come those of `MOVES`; the amount is the share of the highest magnitude,
    with a sign.
    """
    shape = (count, config.operations)
    numbers = generator.integers(0, len(OPERATIONS) + len(MOVES), shape)
    amounts = generator.choice([-1, 1], shape) * config.magnitude / MOST_MAGNITUDE
    return np.hstack([numbers, amounts]).astype(np.float32)


def moved(affine: np.ndarray, operations: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return the affine maps of images, float32 [n, 8], followed by the operations that move pixels.

    Args:
        affine: see `draw_affine_maps`.
        operations: see `draw_operations`.
        size: height and width, in pixels.
    """
    numbers, amounts = np.split(operations.astype(np.float64), 2, axis=1)
    maps = np.concatenate([affine, np.ones((len(affine), 1))], axis=1).reshape(-1, 3, 3)
    for number, amount in zip(numbers.T, amounts.T, strict=True):
        maps = maps @ _moves(number.astype(int) - len(OPERATIONS), amount, size)
    return maps.reshape(-1, 9)[:, :8].astype(np.float32)


def _moves(kinds: np.ndarray, amounts: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return maps [n, 3, 3] from output to input, about the middle; `kinds` are positions in `MOVES`, or below 0 for none."""
    height, width = size
    strengths = {name: np.where(kinds == k, amounts * MOVES[name], 0) for k, name in enumerate(MOVES)}
    angle, zero, one = np.deg2rad(strengths["rotate"]), np.zeros(len(kinds)), np.ones(len(kinds))
    cos, sin = np.cos(angle), np.sin(angle)
    rows = [
        [cos, sin + strengths["shear_x"], width * strengths["translate_x"]],
        [strengths["shear_y"] - sin, cos, height * strengths["translate_y"]],
        [zero, zero, one],
    ]
    maps = np.stack([np.stack(row, axis=-1) for row in rows], axis=1)
    there, back = np.eye(3), np.eye(3)
    there[:2, 2], back[:2, 2] = [(width - 1) / 2, (height - 1) / 2], [-(width - 1) / 2, -(height - 1) / 2]
    return there @ maps @ back


def apply_operations(images: tf.Tensor, operations: tf.Tensor) -> tf.Tensor:
    """Apply the operations that move no pixels, one after the other.

    Args:
        images: float32 [n, height, width, channels], 0 to 255.
        operations: float32 [n, 2 * operations], see `draw_operations`.

    Returns:
        Images of the same shape.
    """
    numbers, amounts = tf.split(operations, 2, axis=1)
    for slot in range(numbers.shape[1]):
        # Each operation on its images alone. The last part is of those whose operation was part of the affine map.
        parts = tf.minimum(tf.cast(numbers[:, slot], tf.int32), len(OPERATIONS))
        count = len(OPERATIONS) + 1
        places = tf.dynamic_partition(tf.range(tf.shape(images)[0]), parts, count)
        found = tf.dynamic_partition(images, parts, count)
        strengths = tf.dynamic_partition(amounts[:, slot], parts, count)
        changed = [
            change(some, strength)
            for change, some, strength in zip(OPERATIONS.values(), found[:-1], strengths[:-1], strict=True)
        ]
        images = tf.ensure_shape(tf.dynamic_stitch(places, [*changed, found[-1]]), images.shape)
    return images


def _by_factor(position: int) -> Callable[[tf.Tensor, tf.Tensor], tf.Tensor]:
    def change(images: tf.Tensor, amounts: tf.Tensor) -> tf.Tensor:
        factors = [tf.ones_like(amounts)] * 3
        factors[position] = 1 + FACTOR * amounts
        return change_colour(images, tf.stack(factors, axis=1))

    return change


def sharpen(images: tf.Tensor, amounts: tf.Tensor) -> tf.Tensor:
    """Move images away from their smoothed ones, or to them; pixels of the border stay, as with Pillow."""
    # Not by a convolution: TensorFlow's fail without images.
    rows = images[:, :-2] + images[:, 1:-1] + images[:, 2:]
    nine, middle = rows[:, :, :-2] + rows[:, :, 1:-1] + rows[:, :, 2:], images[:, 1:-1, 1:-1]
    smooth = NEIGHBOUR * nine + (MIDDLE - NEIGHBOUR) * middle
    away = tf.pad(middle - smooth, ((0, 0), (1, 1), (1, 1), (0, 0)))
    return tf.clip_by_value(images + FACTOR * amounts[:, tf.newaxis, tf.newaxis, tf.newaxis] * away, 0.0, 255.0)


def posterize(images: tf.Tensor, amounts: tf.Tensor) -> tf.Tensor:
    """Keep the highest bits of each value: 8 at an amount of 0, and 4 at 1."""
    step = 2 ** tf.round(BITS * tf.abs(amounts))[:, tf.newaxis, tf.newaxis, tf.newaxis]
    return tf.floor(tf.round(images) / step) * step


def solarize(images: tf.Tensor, amounts: tf.Tensor) -> tf.Tensor:
    """Invert values from a threshold on: 255 at an amount of 0, and 0, so that all are inverted, at 1."""
    threshold = 255 * (1 - tf.abs(amounts))[:, tf.newaxis, tf.newaxis, tf.newaxis]
    return tf.where(images >= threshold, 255 - images, images)


def stretch_contrast(images: tf.Tensor, amounts: tf.Tensor) -> tf.Tensor:
    """Stretch each channel to 0..255; one of a single value stays."""
    low = tf.reduce_min(images, axis=(1, 2), keepdims=True)
    wide = tf.reduce_max(images, axis=(1, 2), keepdims=True) - low
    return tf.where(wide > 0, (images - low) * 255 / tf.maximum(wide, 1.0), images)


def equalize(images: tf.Tensor, amounts: tf.Tensor) -> tf.Tensor:
    """Make the values of each channel about equally frequent, by Pillow's rule."""
    shape, channels = tf.shape(images), images.shape[-1]
    values = tf.cast(tf.round(images), tf.int32)
    # A histogram for each channel of each image, all in one.
    bins = values + 256 * (channels * tf.range(shape[0])[:, tf.newaxis, tf.newaxis, tf.newaxis] + tf.range(channels))
    counts = tf.math.bincount(tf.reshape(bins, (-1,)), minlength=256 * channels * shape[0])
    counts = tf.reshape(counts[: 256 * channels * shape[0]], (-1, 256))
    highest = tf.reduce_max(tf.where(counts > 0, tf.range(256), 0), axis=1, keepdims=True)
    step = (tf.reduce_sum(counts, axis=1, keepdims=True) - tf.gather(counts, highest, batch_dims=1)) // 255
    below = tf.cumsum(counts, axis=1, exclusive=True) + step // 2
    table = tf.where(step > 0, tf.minimum(below // tf.maximum(step, 1), 255), tf.range(256))
    return tf.cast(tf.gather(tf.reshape(table, (-1,)), bins), tf.float32)


# (float32 images [n, height, width, channels], amounts [n] in -1..1) -> images of the same shape.
OPERATIONS: dict[str, Callable[[tf.Tensor, tf.Tensor], tf.Tensor]] = {
    "identity": lambda images, amounts: images,
    "brightness": _by_factor(0),
    "contrast": _by_factor(1),
    "color": _by_factor(2),
    "sharpness": sharpen,
    "posterize": posterize,
    "solarize": solarize,
    "auto_contrast": stretch_contrast,
    "equalize": equalize,
}
