"""From the bytes of a file to an image, or to the reason why it cannot be decoded."""

from __future__ import annotations

import io
import math
import struct
from collections.abc import Callable

import numpy as np
import simplejpeg

from kerasexp.data.orientation import ORIENTATION, on_white, upright
from kerasexp.data.png_decoding import decode_png, upper_bits
from kerasexp.data.source import MAX_PIXELS, BrokenImage

EXTENSIONS = (".png", ".jpg", ".jpeg", ".bmp", ".webp")
# Other extensions of images. Such a file is decoded if its content is in a supported format, and otherwise reported as
# unreadable, which is better than silently training without it.
OTHER_EXTENSIONS = (
    ".jpe",
    ".jfif",
    ".dib",
    ".apng",
    ".gif",
    ".tif",
    ".tiff",
    ".heic",
    ".heif",
    ".avif",
    ".jp2",
    ".jxl",
    ".j2k",
    ".ppm",
    ".pgm",
    ".pbm",
    ".pnm",
    ".tga",
    ".psd",
    ".dcm",
    ".dng",
)
# First bytes of supported formats, of other formats of images, and of the files most often found under the name of an image.
FORMATS = {b"\x89PNG": "PNG", b"\xff\xd8": "JPEG", b"BM": "BMP"}
IMAGE_FORMATS = {
    b"GIF8": "GIF",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"\0\0\0\x0cjP": "JPEG 2000",
    b"\0\0\0\x0cJXL": "JPEG XL",
    b"P1": "Netpbm",
    b"P2": "Netpbm",
    b"P3": "Netpbm",
    b"P4": "Netpbm",
    b"P5": "Netpbm",
    b"P6": "Netpbm",
    b"8BPS": "Photoshop",
}
NO_IMAGE_FORMATS = {
    b"%PDF": "PDF",
    b"PK\3\4": "a zip archive",
    b"<!doctype html": "an HTML page",
    b"<html": "an HTML page",
    b"<svg": "an SVG drawing",
    b"<?xml": "XML",
    b"version https://git-lfs": "a Git LFS pointer, not the file itself",
}
# Pixels per byte: a JPEG file has at least one bit per 8x8 pixels. If it has fewer, libjpeg silently invents the rest.
JPEG_RATIO = 8 * 64
# Colour spaces of JPEG files that need no special treatment, and what they are decoded to.
PLAIN_JPEG = {"YCbCr": "RGB", "Gray": "GRAY"}
JPEG_SCALES = (8, 4, 2, 1)


def is_image_name(path: str) -> bool:
    """Return whether the extension is that of an image."""
    return path.lower().endswith(EXTENSIONS + OTHER_EXTENSIONS)


def is_16_bit(head: bytes) -> bool:
    """Return whether the first 32 bytes of a file are those of an image of 16 bits per sample, which only PNG files can be."""
    return head.startswith(b"\x89PNG") and head[24:25] == b"\x10"


def decode_image(
    data: bytes, min_side: int | None = None, to_uint8: Callable[[np.ndarray], np.ndarray] = upper_bits
) -> np.ndarray:
    """Decode one PNG, JPEG, BMP or WebP file, recognized by its first bytes, not by its name.

    Transparency is blended on white. Palettes and CMYK become RGB (with the ink
    inverted, as Adobe and all others since store it). The EXIF orientation is applied. An animation gives its first frame.

    A file that is cut off before its last pixel is detected in every format. Only PNG has checksums: changed bytes within
    the pixels of a JPEG, BMP or WebP file can give different pixels undetected.

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
    kind = _kind(data)
    if kind == "PNG":
        return decode_png(data, to_uint8)
    plain = _decode_plain_jpeg(data, min_side) if kind == "JPEG" else None
    return to_uint8(_decode_by_pillow(data, kind, min_side) if plain is None else plain)


def _kind(data: bytes) -> str:
    """Return the format of a file."""
    if not data:
        raise BrokenImage("the file is empty")
    for start, kind in FORMATS.items():
        if data.startswith(start):
            return kind
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "WEBP"
    image, other = (_named(data, formats) for formats in (IMAGE_FORMATS, NO_IMAGE_FORMATS))
    if data[4:8] == b"ftyp":
        image = "AVIF" if data[8:11] == b"avi" else "HEIC or a video"
    if image is not None:
        raise BrokenImage(f"the file is {image}; supported formats: PNG, JPEG, BMP, WebP; convert it, best to PNG")
    if other is not None:
        raise BrokenImage(f"the file is {other}; supported formats: PNG, JPEG, BMP, WebP")
    if not data.strip(b"\0"):
        raise BrokenImage("the file consists of zero bytes only")
    raise BrokenImage("the file is not a PNG, JPEG, BMP or WebP image")


def _named(data: bytes, formats: dict[bytes, str]) -> str | None:
    """Return the format whose files begin so; None if it is none of these."""
    begin = data[:32].lstrip().lower()
    return next((name for start, name in formats.items() if begin.startswith(start.lower())), None)


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


def _decode_by_pillow(data: bytes, kind: str, min_side: int | None) -> np.ndarray:
    from PIL import Image

    try:
        with Image.open(io.BytesIO(data), formats=[kind]) as image:
            if image.width * image.height > MAX_PIXELS:
                raise BrokenImage(f"{image.width}x{image.height} pixels; an image has 1 to {MAX_PIXELS:,}")
            if kind == "JPEG" and image.width * image.height > len(data) * JPEG_RATIO:
                raise EOFError
            if kind == "JPEG" and min_side is not None:
                image.draft(None, (min_side, min_side))
            image.load()
            return upright(_as_uint8(image), image.getexif().get(ORIENTATION, 1))
    except Image.DecompressionBombError:  # Pillow checks a limit of its own first
        raise BrokenImage(f"far more than {MAX_PIXELS:,} pixels") from None
    except (OSError, SyntaxError, ValueError, struct.error, EOFError):
        raise BrokenImage(f"the {'WebP' if kind == 'WEBP' else kind} file is damaged or cut off") from None


def _as_uint8(image) -> np.ndarray:
    """Return a Pillow image of a JPEG, BMP or WebP file as uint8 [height, width, 1 or 3]."""
    if image.mode == "RGBA":
        return on_white(np.asarray(image))
    if image.mode in ("1", "L"):
        return np.asarray(image.convert("L"))[..., np.newaxis]
    if image.mode == "P" and np.asarray(image).max() >= len(image.palette.palette) // len(image.palette.mode):
        raise ValueError("colours are missing from the palette")
    return np.asarray(image.convert("RGB"))
