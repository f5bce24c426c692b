"""Mixup and cutmix: training images mixed with others of their batch, and their labels with them."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from kerasexp.config.augmentation_section import Augmentation
from kerasexp.data.augmentation import inside_boxes

# Parameters per image: its weight outside the pasted rectangle, and the rectangle.
MIX = 5


def draw_mixes(config: Augmentation, count: int, size: tuple[int, int], generator: np.random.Generator) -> np.ndarray:
    """Draw how each image is mixed with another one: float32 [count, 5].

    Mixup (Zhang et al., ICLR 2018) gives an image the weight lambda, of Beta(alpha, alpha). Cutmix (Yun et al., ICCV 2019) pastes a
    rectangle with 1 - lambda of the area and the aspect of the image; it is of whole pixels, its middle is anywhere, and what lies
    beyond the border is cut off. With both, each image has one of the two, both equally likely.

    Args:
        config: its `mixup`, `cutmix` and `mix_share`.
        count: number of images.
        size: height and width of the images, in pixels.
        generator: the source of randomness.

    Returns:
        The weight of the image, 1 for an image that is not mixed; then top, left, bottom and right of the rectangle of the other
        image, as fractions of the sides.
    """
    chance, kind = generator.uniform(0, 1, (2, count))
    # A key that is off draws nothing that is used.
    own = generator.beta(*[config.mixup or 1] * 2, count)
    kept = generator.beta(*[config.cutmix or 1] * 2, count)
    middle = generator.uniform(0, 1, (count, 2))
    is_mixed = chance < config.mix_share
    pastes = is_mixed & (kind < 0.5 if config.mixup and config.cutmix else bool(config.cutmix))
    weights = np.where(is_mixed & ~pastes, own, 1)
    sides = np.array(size)
    half = np.sqrt(1 - kept)[:, np.newaxis] * sides / 2
    first, last = (np.clip(np.round(middle * sides + sign * half), 0, sides) / sides for sign in (-1, 1))
    boxes = np.where(pastes[:, np.newaxis], np.hstack([first, last]), 0)
    return np.hstack([weights[:, np.newaxis], boxes]).astype(np.float32)


def draw_partners(count: int, batch_size: int, generator: np.random.Generator) -> np.ndarray:
    """Draw the image that each is mixed with: int64 [count], a position in its batch.

    They are a permutation of the batch, in which an image may meet itself; the last batch may be smaller.
    """
    batch = np.arange(count) // batch_size
    return np.lexsort((generator.uniform(0, 1, count), batch)) - batch * batch_size


def mix_images(images: tf.Tensor, mixes: tf.Tensor, partners: tf.Tensor) -> tf.Tensor:
    """Mix the images of a batch.

    Args:
        images: uint8 [n, height, width, channels].
        mixes: float32 [n, 5], see `draw_mixes`.
        partners: int [n], see `draw_partners`.

    Returns:
        Images of the same shape and dtype, rounded.
    """
    own = tf.cast(images, tf.float32)
    others = tf.gather(own, partners)
    height, width = tf.shape(images)[1], tf.shape(images)[2]
    weights = tf.where(inside_boxes(mixes[:, 1:], height, width), 0.0, mixes[:, 0, None, None, None])
    return tf.cast(tf.round(others + weights * (own - others)), tf.uint8)


def mix_labels(labels: tf.Tensor, mixes: tf.Tensor, partners: tf.Tensor) -> tf.Tensor:
    """Mix labels as their images are: in the share of the area, times the weight.

    Args:
        labels: float32 [n, classes].
        mixes, partners: as for `mix_images`.

    Returns:
        float32 [n, classes]; a row has the sum that it had if all rows have the same.
    """
    top, left, bottom, right = tf.split(mixes[:, 1:], 4, axis=1)
    own = mixes[:, :1] * (1 - (bottom - top) * (right - left))
    return own * labels + (1 - own) * tf.gather(labels, partners)
