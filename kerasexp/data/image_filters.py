"""Changes of training images with an amount for each image: colour, turned hue, Gaussian blur."""

from __future__ import annotations

import math

import numpy as np
import tensorflow as tf

# Weights of red, green and blue in perceived brightness (ITU-R BT.601).
LUMA = (0.299, 0.587, 0.114)
# From red, green and blue to brightness and the plane of the colours (YIQ, FCC 1953).
YIQ = np.array([[0.299, 0.587, 0.114], [0.596, -0.274, -0.322], [0.211, -0.523, 0.312]], np.float32)
# A blur that is none: far below it, a pixel's neighbours have weights of 0 in float32.
NO_BLUR = 0.05


def change_colour(images: tf.Tensor, factors: tf.Tensor) -> tf.Tensor:
    """Change brightness, contrast and, if there are three channels, saturation.

    Args:
        images: float32 [n, height, width, channels], 0 to 255.
        factors: float32 [n, 3], one for each of the three; 1 changes nothing.

    Returns:
        Images of the same shape, clipped to 0..255.
    """
    brightness, contrast, saturation = tf.split(factors[:, None, None, :], 3, axis=-1)
    images = images * brightness
    mean = tf.reduce_mean(images, axis=(1, 2, 3), keepdims=True)
    images = mean + contrast * (images - mean)
    if images.shape[-1] == 3:
        grey = tf.reduce_sum(images * tf.constant(LUMA), axis=-1, keepdims=True)
        images = grey + saturation * (images - grey)
    return tf.clip_by_value(images, 0.0, 255.0)


def turn_hue(images: tf.Tensor, turns: tf.Tensor) -> tf.Tensor:
    """Turn the colours of images about the axis of the greys, which stay as they are, as does the brightness.

    Args:
        images: float32 [n, height, width, 3], 0 to 255.
        turns: float32 [n], in whole turns.

    Returns:
        Images of the same shape, clipped to 0..255.
    """
    angles = 2 * math.pi * turns
    cos, sin, zero, one = tf.cos(angles), tf.sin(angles), tf.zeros_like(angles), tf.ones_like(angles)
    rows = [[one, zero, zero], [zero, cos, -sin], [zero, sin, cos]]
    turned = tf.stack([tf.stack(row, axis=-1) for row in rows], axis=1)
    matrices = tf.constant(np.linalg.inv(YIQ)) @ turned @ tf.constant(YIQ)
    return tf.clip_by_value(tf.einsum("nyxc,ndc->nyxd", images, matrices), 0.0, 255.0)


def blur_gaussian(images: tf.Tensor, sigmas: tf.Tensor) -> tf.Tensor:
    """Blur images by a Gaussian; beyond the border there is nothing, and the weights within sum to 1.

    Args:
        images: float32 [n, height, width, channels].
        sigmas: float32 [n], standard deviations in pixels.

    Returns:
        Images of the same shape.
    """
    down, right = (_gaussians(sigmas, side) for side in images.shape[1:3])
    return tf.einsum("nxw,nywc->nyxc", right, tf.einsum("nyh,nhwc->nywc", down, images))


def _gaussians(sigmas: tf.Tensor, side: int) -> tf.Tensor:
    """Return the weight of each pixel of an axis for each blurred one: float32 [n, side, side]."""
    places = np.arange(side, dtype=np.float32)
    squares = tf.constant((places[:, np.newaxis] - places) ** 2)
    narrowness = -1 / (2 * tf.maximum(sigmas, NO_BLUR) ** 2)
    return tf.nn.softmax(narrowness[:, tf.newaxis, tf.newaxis] * squares)
