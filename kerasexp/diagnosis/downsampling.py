"""Images made smaller, for what needs no more detail."""

from __future__ import annotations

import numpy as np

PORTION = 1000


def reduced(images: np.ndarray, side: int) -> np.ndarray:
    """Average images over whole blocks of pixels, until their shorter side is less than twice `side`.

    Args:
        images: uint8 [n, height, width, channels]; what is left over at the lower and right border is cut.
        side: to come near to; smaller images are left as they are.
    """
    count, height, width, channels = images.shape
    times = max(min(height, width) // side, 1)
    if times == 1:
        return images
    rows, columns = height // times, width // times
    small = np.empty((count, rows, columns, channels), np.uint8)
    for first in range(0, count, PORTION):
        part = images[first : first + PORTION, : rows * times, : columns * times]
        blocks = part.reshape(len(part), rows, times, columns, times, channels)
        small[first : first + PORTION] = np.rint(blocks.mean(axis=(2, 4), dtype=np.float32))
    return small
