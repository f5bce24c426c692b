"""What image viewers do after decoding: blend transparency on white, and apply the EXIF orientation."""

from __future__ import annotations

import numpy as np

ORIENTATION = 0x0112  # the EXIF tag


def on_white(pixels: np.ndarray) -> np.ndarray:
    """Blend transparency on white: uint8 [h, w, 2 or 4] becomes uint8 [h, w, 1 or 3]."""
    colour, alpha = pixels[..., :-1].astype(np.uint16), pixels[..., -1:].astype(np.uint16)
    # In place and in 16 bits, which hold 255 * 255 + 127, because an image may have 100 megapixels.
    colour *= alpha
    colour += 255 * (255 - alpha) + 127
    colour //= 255
    return colour.astype(np.uint8)


def upright(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Rotate and mirror [h, w, channels] by an EXIF orientation of 1 to 8; other values change nothing."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)
