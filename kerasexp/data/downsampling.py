"""Downsampling of images by whole factors, for models that need little detail."""

from __future__ import annotations

import numpy as np

from kerasexp.data.lazy_images import LazyImages, images_at_once


def downsampled(images: np.ndarray | LazyImages, side: int) -> np.ndarray:
    """Average images over blocks of pixels, until their shorter side is less than twice `side`.

    Large images are read some at a time.

    Args:
        images: uint8 [n, height, width, channels]; pixels at the lower and right border that fill no block are cut off.
        side: target side in pixels; smaller images are returned unchanged.
    """
    count, height, width, channels = images.shape
    factor = max(min(height, width) // side, 1)
    if factor == 1:
        return np.asarray(images)
    rows, columns = height // factor, width // factor
    small = np.empty((count, rows, columns, channels), np.uint8)
    size = images_at_once(images.shape[1:])
    for first in range(0, count, size):
        chunk = images[first : first + size][:, : rows * factor, : columns * factor]
        blocks = chunk.reshape(len(chunk), rows, factor, columns, factor, channels)
        small[first : first + size] = np.rint(blocks.mean(axis=(2, 4), dtype=np.float32))
    return small
