"""From the bytes of a file to an image, or to the reason why it cannot be decoded."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import suppress

import numpy as np
import simplejpeg

from kerasexp.data.image_formats import format_of, supported_format
from kerasexp.data.pillow_decoding import JPEG_RATIO, decode_by_pillow, pillow_pixel_count
from kerasexp.data.png_decoding import decode_png, png_pixel_count, upper_bits
from kerasexp.data.source import MAX_PIXELS, BrokenImage, WrongPixelCount

# Colour spaces of JPEG files that need no special treatment, and what they are decoded to.
PLAIN_JPEG = {"YCbCr": "RGB", "Gray": "GRAY"}
JPEG_SCALES = (8, 4, 2, 1)


def decode_image(
    data: bytes, min_side: int | None = None, to_uint8: Callable[[np.ndarray], np.ndarray] = upper_bits
) -> np.ndarray:
    """Decode one image file, recognized by its first bytes, not by its name.

    PNG, JPEG, BMP, WebP, TIFF, GIF, AVIF, JPEG 2000, and HEIC with the extra `heic`. Transparency is blended on white.
    Palettes and CMYK become RGB (with the ink inverted, as Adobe and all others since store it). The EXIF orientation is
    applied. A file of several pages or frames gives the first.

    A file that is cut off before its last pixel is detected in every format. Only PNG has checksums: changed bytes within
    the pixels of other files can give different pixels undetected.

    Args:
        data: content of the file.
        min_side: shortest side that suffices, in pixels. A JPEG file whose sides are at least two, four or eight times as
            long is decoded at a half, a quarter or an eighth, from the low frequencies of its blocks: these are averages
            over its pixels and take a fraction of the time.
        to_uint8: converts the stored samples, uint8 or uint16; without it, 16-bit images keep their upper 8 bits.

    Returns:
        uint8 [height, width, 1 or 3].

    Raises:
        BrokenImage: the file is empty, cut off, damaged, of another format, or larger than 100 megapixels.
    """
    kind = format_of(data)
    if kind == "PNG":
        return decode_png(data, to_uint8)
    plain = _decode_plain_jpeg(data, min_side) if kind == "JPEG" else None
    return decode_by_pillow(data, kind, min_side, to_uint8) if plain is None else to_uint8(plain)


def pixel_count(data: bytes) -> int:
    """Return how many pixels a file has, by the header that its decoder reads; 0 for what none of them decodes.

    No pixel is decoded. Another reader of the header would not do: a file may have two that differ.
    """
    kind = supported_format(data)
    if kind is None:
        return 0
    counts = [0]
    with suppress(ValueError):
        if kind == "JPEG":
            height, width, *_ = simplejpeg.decode_jpeg_header(data)
            counts.append(height * width)
    try:
        counts.append(png_pixel_count(data) if kind == "PNG" else pillow_pixel_count(data, kind))
    except WrongPixelCount as wrong:
        counts.append(wrong.count)
    except BrokenImage:
        pass
    return max(counts)


def _decode_plain_jpeg(data: bytes, min_side: int | None) -> np.ndarray | None:
    """Decode up to four times as fast as Pillow, to the same pixels; None for unusual or damaged files, left to Pillow."""
    try:
        height, width, space, _ = simplejpeg.decode_jpeg_header(data)
        pixels = height * width
        if space not in PLAIN_JPEG or b"Exif" in data or pixels > MAX_PIXELS or pixels > len(data) * JPEG_RATIO:
            return None
        scale = 1
        if min_side is not None:
            scale = next((scale for scale in JPEG_SCALES if min(height, width) // min_side >= scale), 1)
        return simplejpeg.decode_jpeg(
            data, PLAIN_JPEG[space], min_height=math.ceil(height / scale), min_width=math.ceil(width / scale)
        )
    except ValueError:
        return None
