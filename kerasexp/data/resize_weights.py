"""Resizing as matrix products: the weight of each source row in each target row, as TensorFlow tensors."""

from __future__ import annotations

import tensorflow as tf


def resize_weights(source, target: int, start=0, length=None, inner=None, offset=0) -> tf.Tensor:
    """Return the matrix that resizes `length` of the source rows to `inner` of the target rows; the other rows are zero.

    Rows are averaged over areas where `inner` is not above `length`, and interpolated linearly, with half-pixel centres and
    the edges repeated, where it is: as OpenCV's INTER_AREA and INTER_LINEAR. Everything up to the last division is an
    integer, so that no weight depends on rounding.

    Args:
        source: number of rows of the source, an integer or an int32 scalar.
        target: number of rows of the result.
        start, length: the part of the source that is resized; by default all of it. Integers or int32 tensors [...].
        inner, offset: the number of target rows that it fills, and the first of them; by default all. As above.

    Returns:
        float32 [..., target, source].
    """
    start, offset = _as_matrix(start), _as_matrix(offset)
    length = _as_matrix(source if length is None else length)
    inner = _as_matrix(target if inner is None else inner)
    k = tf.range(target)[:, tf.newaxis] - offset
    j = tf.range(source)[tf.newaxis, :] - start
    # Both in units of 1/inner of a source row: the shared part of target row k and source row j.
    shared = tf.minimum((k + 1) * length, (j + 1) * inner) - tf.maximum(k * length, j * inner)
    # In units of 1/(2 inner): the centre of target row k, held inside the source, and its distance from the centre of row j.
    centre = tf.minimum(tf.maximum((2 * k + 1) * length - inner, 0), 2 * inner * (length - 1))
    near = 2 * inner - tf.abs(centre - 2 * inner * j)
    is_area = inner <= length
    weights = tf.cast(tf.maximum(tf.where(is_area, shared, near), 0), tf.float32)
    weights = weights / tf.cast(tf.where(is_area, length, 2 * inner), tf.float32)
    # As a product: LiteRT selects between tensors of one shape faster by it.
    return weights * tf.cast((k >= 0) & (k < inner), tf.float32)


def resized(images: tf.Tensor, rows: tf.Tensor, columns: tf.Tensor) -> tf.Tensor:
    """Resize images by the matrices of their rows and columns.

    Args:
        images: float32 [n, height, width, channels].
        rows, columns: of `resize_weights`, [target, source] for all images or [n, target, source].

    Returns:
        float32 [n, target rows, target columns, channels].
    """
    height, width, channels = (images.shape[i] or tf.shape(images)[i] for i in (1, 2, 3))
    bands = tf.matmul(rows, tf.reshape(images, [-1, height, width * channels]))
    bands = tf.reshape(bands, [-1, rows.shape[-2], width, channels])
    return tf.matmul(tf.expand_dims(columns, -3), bands)


def _as_matrix(value) -> tf.Tensor:
    """Return an integer, or a tensor [...] as [..., 1, 1]."""
    value = tf.convert_to_tensor(value, tf.int32)
    return value if value.shape.rank == 0 else tf.expand_dims(tf.expand_dims(value, -1), -1)
