"""Decoding by Pillow: every format but PNG and ordinary JPEG files."""

from __future__ import annotations

import io
import struct
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from types import ModuleType

import cv2
import numpy as np

from kerasexp.data.image_formats import NAMES, supported_format
from kerasexp.data.orientation import ORIENTATION, on_white, upright
from kerasexp.data.png_decoding import in_range
from kerasexp.data.source import MAX_PIXELS, BrokenImage, PassingFault, WrongPixelCount
from kerasexp.environment import install_command

# Pixels per byte: a JPEG file has at least one bit per 8x8 pixels. If it has fewer, libjpeg silently invents the rest.
JPEG_RATIO = 8 * 64
# Tags of TIFF files: bits per sample, whether white or black is zero, and what samples beyond the colours are.
BITS, PHOTOMETRIC, EXTRA_SAMPLES = 258, 262, 338
# Colours that are multiplied by their alpha; and the largest value of 16 bits.
PREMULTIPLIED, DEEPEST = 1, 2**16 - 1
WHITE_IS_ZERO = 0
# The end of the pixels of a JPEG 2000 file. Within them, no byte after 0xFF exceeds 0x8F (ISO/IEC 15444-1, annex A).
END_OF_JPEG_2000 = b"\xff\xd9"
# What Pillow's decoders raise for damaged files.
DAMAGES = (
    OSError,
    SyntaxError,
    ValueError,
    struct.error,
    EOFError,
    KeyError,
    IndexError,
    TypeError,
    OverflowError,
    RuntimeError,
)


def decode_by_pillow(
    data: bytes, kind: str, min_side: int | None, to_uint8: Callable[[np.ndarray], np.ndarray]
) -> np.ndarray:
    """Decode the first image of a file.

    Args:
        data: content of the file.
        kind: its format, by Pillow's name.
        min_side: shortest side that suffices, for JPEG.
        to_uint8: converts the stored samples, uint8 or uint16.

    Returns:
        uint8 [height, width, 1 or 3].

    Raises:
        BrokenImage: the file is damaged, cut off or too large, or what reads it is not installed.
    """
    with _opened(data, kind) as image:
        if kind == "JPEG":
            if image.width * image.height > len(data) * JPEG_RATIO:
                raise EOFError
            if min_side is not None:
                image.draft(None, (min_side, min_side))
        if kind == "JPEG2000" and END_OF_JPEG_2000 not in data:
            raise EOFError
        if image.mode in ("I", "F"):
            message = f"the {NAMES.get(kind, kind)} file has 32 bits per value; convert it to 16 or 8 bits"
            raise BrokenImage(message)
        if _has_deep_colours(image):
            is_premultiplied = tuple(image.tag_v2.get(EXTRA_SAMPLES, ()))[:1] == (PREMULTIPLIED,)
            return _deep_colours(data, image.size, to_uint8, image.mode == "RGBA", is_premultiplied)
        image.load()
        orientation = image.getexif().get(ORIENTATION, 1)
        if image.mode.startswith("I;16"):
            return upright(to_uint8(_deep_grey(image)), orientation)
        return upright(to_uint8(_as_uint8(image)), orientation)


def has_16_bits(head: bytes, read: Callable[[], bytes]) -> bool:
    """Return whether an image has 16 bits per sample, as PNG, TIFF and JPEG 2000 files may.

    Args:
        head: its first 32 bytes.
        read: returns all of its bytes, which are needed for TIFF and JPEG 2000.
    """
    kind = supported_format(head)
    if kind not in ("TIFF", "JPEG2000"):
        return kind == "PNG" and head[24:25] == b"\x10"
    try:
        with _opened(read(), kind) as image:
            return image.mode.startswith("I;16") or _has_deep_colours(image)
    except BrokenImage:
        return False


def count_images(data: bytes) -> int:
    """Return how many pages or frames a file has; 1 if it cannot be read."""
    try:
        with _opened(data, supported_format(data) or "") as image:
            return getattr(image, "n_frames", 1)
    except BrokenImage:
        return 1


def pillow_pixel_count(data: bytes, kind: str) -> int:
    """Return the number of pixels that the header of a file of a format announces; raise BrokenImage if it cannot be read."""
    with _opened(data, kind) as image:
        return image.width * image.height


@contextmanager
def _opened(data: bytes, kind: str) -> Iterator:
    """Open a file for the block; errors in the block, too, become BrokenImage."""
    pillow = _pillow()
    if kind == "HEIF" and not _reads_heif():
        raise BrokenImage(f"the file is HEIC, which needs {install_command('heic')}")
    if kind == "AVIF" and not _reads_avif():
        raise PassingFault("the file is AVIF, which this Pillow cannot read: pip install -U pillow")
    try:
        with pillow.open(io.BytesIO(data), formats=[kind]) as image:
            if (count := image.width * image.height) > MAX_PIXELS:
                message = f"{image.width}x{image.height} pixels; an image has 1 to {MAX_PIXELS:,}"
                raise WrongPixelCount(message, count)
            yield image
    except pillow.DecompressionBombError:  # Pillow checks a limit of its own first
        raise WrongPixelCount(f"far more than {MAX_PIXELS:,} pixels", 2 * pillow.MAX_IMAGE_PIXELS) from None
    except DAMAGES:
        raise BrokenImage(f"the {NAMES.get(kind, kind)} file is damaged or cut off") from None


@cache
def _pillow() -> ModuleType:
    from PIL import Image

    # Of damaged metadata, which say nothing about the pixels, and of large images, which are refused here.
    warnings.filterwarnings("ignore", module="PIL")
    return Image


@cache
def _reads_heif() -> bool:
    try:
        from pillow_heif import register_heif_opener
    except ImportError:
        return False
    register_heif_opener()
    return True


@cache
def _reads_avif() -> bool:
    from PIL import features

    return bool(features.check("avif"))


def _bits(image) -> tuple[int, ...]:
    return tuple(image.tag_v2.get(BITS, (1,))) if image.format == "TIFF" else (8,)


def _has_deep_colours(image) -> bool:
    """Return whether a TIFF file has grey or colours of several samples of 16 bits, of which Pillow keeps the upper 8."""
    bits = _bits(image)
    return len(bits) > 1 and max(bits) == 16 and image.mode != "CMYK"


def _deep_colours(
    data: bytes,
    size: tuple[int, int],
    to_uint8: Callable[[np.ndarray], np.ndarray],
    has_alpha: bool,
    is_premultiplied: bool,
) -> np.ndarray:
    """Decode a TIFF file of several samples of 16 bits by OpenCV, which does not say what a fourth one is.

    `size` is what Pillow has read: of one that is given twice, OpenCV may take the other. It also turns images upright.
    """
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error:
        pixels = None
    if pixels is None or pixels.dtype != np.uint16 or pixels.ndim != 3 or sorted(pixels.shape[:2]) != sorted(size):
        raise OSError
    colours = np.ascontiguousarray(pixels[..., [2, 1, 0, *range(3, pixels.shape[2])]])
    if colours.shape[2] == 4 and not has_alpha:
        colours = np.ascontiguousarray(colours[..., :3])
    elif colours.shape[2] == 4 and is_premultiplied:
        alpha = np.maximum(colours[..., 3:], 1).astype(np.uint32)
        straight = np.minimum(colours[..., :3].astype(np.uint32) * DEEPEST // alpha, DEEPEST)
        colours = np.dstack([straight.astype(np.uint16), colours[..., 3:]])
    converted = in_range(colours, to_uint8)
    return on_white(converted) if converted.shape[2] == 4 else converted


def _deep_grey(image) -> np.ndarray:
    """Return an image of 16 bits as uint16 [height, width, 1]."""
    values = np.asarray(image).astype(np.uint16)[..., np.newaxis]
    if image.format == "TIFF" and image.tag_v2.get(PHOTOMETRIC) == WHITE_IS_ZERO:
        return (2 ** _bits(image)[0] - 1 - values.astype(np.int32)).astype(np.uint16)
    return values


def _as_uint8(image) -> np.ndarray:
    """Return a Pillow image as uint8 [height, width, 1 or 3]."""
    if image.mode == "P" and np.asarray(image).max() >= len(image.palette.palette) // len(image.palette.mode):
        raise ValueError("colours are missing from the palette")
    if image.has_transparency_data:
        return on_white(np.asarray(image.convert("LA" if image.mode in ("1", "L", "LA", "La") else "RGBA")))
    if image.mode in ("1", "L"):
        return np.asarray(image.convert("L"))[..., np.newaxis]
    return np.asarray(image.convert("RGB"))
