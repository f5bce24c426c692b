"""From the bytes of a file to a picture, or to the reason why it is none."""

from __future__ import annotations

import io
import struct

import numpy as np

from kerasexp.data.pictures import BrokenPicture

EXTENSIONS = (".png", ".jpg", ".jpeg", ".bmp", ".webp")
MAX_PIXELS = 100_000_000


def decode(data: bytes) -> np.ndarray:
    """Decode one PNG, JPEG, BMP or WebP file.

    16-bit pictures keep their upper 8 bits, transparency lies on white, palettes and CMYK become RGB, an EXIF rotation is
    carried out, and an animation gives its first frame.

    Returns:
        uint8 [height, width, 1 or 3].

    Raises:
        BrokenPicture: the file is empty, cut off, of another kind, or larger than 100 megapixels.
    """
    if not data:
        raise BrokenPicture("the file is empty")
    return _decode_plain_png(data) if _is_plain_png(data) else _decode_any(data)


def _is_plain_png(data: bytes) -> bool:
    """Whether this is an 8-bit grey or RGB PNG without interlacing or transparency."""
    if data[:8] != b"\x89PNG\r\n\x1a\n" or len(data) < 33:
        return False
    width, height, depth, colour, _, _, interlace = struct.unpack(">IIBBBBB", data[16:29])
    return (
        depth == 8
        and colour in (0, 2)
        and interlace == 0
        and width * height <= MAX_PIXELS
        # Anywhere: a profile or comment may come before them, and a chance hit costs a few milliseconds.
        and b"tRNS" not in data
        and b"eXIf" not in data
    )


def _decode_plain_png(data: bytes) -> np.ndarray:
    # TensorFlow decodes a 900x1200 scan in 6.6 ms where Pillow takes 9.6, and it refuses a cut file, which OpenCV does not.
    import tensorflow as tf

    try:
        with tf.device("CPU"):
            return tf.io.decode_png(data).numpy()
    except tf.errors.InvalidArgumentError:
        raise BrokenPicture("the PNG file is damaged or cut off") from None


def _decode_any(data: bytes) -> np.ndarray:
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(data)) as image:
            if image.format not in ("PNG", "JPEG", "BMP", "WEBP", "DIB", "MPO"):
                raise BrokenPicture(f"the file is {image.format}, and PNG, JPEG, BMP and WebP are read")
            if image.width * image.height > MAX_PIXELS:
                raise BrokenPicture(f"{image.width}x{image.height} pixels are more than {MAX_PIXELS:,}")
            image.load()
            return _as_uint8(ImageOps.exif_transpose(image))
    except UnidentifiedImageError:
        raise BrokenPicture("the file is no PNG, JPEG, BMP or WebP picture") from None
    except (OSError, SyntaxError, ValueError, struct.error, EOFError, Image.DecompressionBombError) as error:
        raise BrokenPicture(f"the file is damaged: {error}") from None


def _as_uint8(image) -> np.ndarray:
    """Return a Pillow image of any mode as uint8 [height, width, 1 or 3]."""
    from PIL import Image

    if image.mode.startswith("I"):
        return (np.clip(np.asarray(image, dtype=np.int64), 0, 65535) >> 8).astype(np.uint8)[..., np.newaxis]
    if image.mode in ("P", "PA", "LA", "La", "RGBA", "RGBa") or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    if image.mode in ("1", "L"):
        return np.asarray(image.convert("L"))[..., np.newaxis]
    return np.asarray(image.convert("RGB"))
