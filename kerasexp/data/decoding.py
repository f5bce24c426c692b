"""From the bytes of a file to a picture, or to the reason why it is none."""

from __future__ import annotations

import io
import struct

import numpy as np
from zlib_ng import zlib_ng

from kerasexp.backend import import_tensorflow
from kerasexp.data.pictures import BrokenPicture

EXTENSIONS = (".png", ".jpg", ".jpeg", ".bmp", ".webp")
MAX_PIXELS = 100_000_000
# Deflate packs no more than this into one byte, so a short stream cannot be a bomb.
DEFLATE_RATIO, MAX_INFLATED = 1032, 2**28
STORED_BLOCK = 65535
PNG = b"\x89PNG\r\n\x1a\n"


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
    if data.startswith(PNG):
        chunks = _png_chunks(data)
        if _is_plain(chunks):
            return _decode_plain_png(data, chunks)
    return _decode_any(data)


def _png_chunks(data: bytes) -> list[tuple[bytes, bytes]]:
    """Return kind and content of each chunk up to IEND (PNG specification, section 5.3)."""
    chunks, at = [], len(PNG)
    while at + 12 <= len(data):
        length, kind = struct.unpack(">I4s", data[at : at + 8])
        content, crc = data[at + 8 : at + 8 + length], data[at + 8 + length : at + 12 + length]
        if _crc(kind, content).to_bytes(4, "big") != crc:
            break
        chunks.append((kind, content))
        if kind == b"IEND":
            return chunks
        at += 12 + length
    raise BrokenPicture("the PNG file is damaged or cut off")


def _is_plain(chunks: list[tuple[bytes, bytes]]) -> bool:
    """Whether this is an 8-bit grey or RGB PNG without interlacing, transparency, rotation or animation."""
    kind, header = chunks[0]
    if kind != b"IHDR" or len(header) != 13 or {b"tRNS", b"eXIf", b"acTL"} & {kind for kind, _ in chunks}:
        return False
    width, height, depth, colour, _, _, interlace = struct.unpack(">IIBBBBB", header)
    return depth == 8 and colour in (0, 2) and interlace == 0 and 0 < width * height <= MAX_PIXELS


def _decode_plain_png(data: bytes, chunks: list[tuple[bytes, bytes]]) -> np.ndarray:
    import_tensorflow()
    import tensorflow as tf

    try:
        with tf.device("CPU"):
            # The tensor lends its memory; `.numpy()` would copy it.
            return np.asarray(memoryview(tf.io.decode_png(_stored(chunks) or data)))
    except (zlib_ng.error, tf.errors.InvalidArgumentError):
        raise BrokenPicture("the PNG file is damaged or cut off") from None


def _stored(chunks: list[tuple[bytes, bytes]]) -> bytes | None:
    """Return the same PNG without compression; None where inflating it could fill the memory.

    Inflating is nearly all of the 6.6 ms that TensorFlow takes for a 900x1200 scan (Pillow takes 9.6). zlib-ng does it in
    1.4, and TensorFlow reads what it leaves in 2.3.
    """
    packed = b"".join(content for kind, content in chunks if kind == b"IDAT")
    if len(packed) > MAX_INFLATED // DEFLATE_RATIO:
        return None
    header = chunks[0][1]
    width, height, _, colour = struct.unpack(">IIBB", header[:10])
    pixels = zlib_ng.decompress(packed, bufsize=height * (1 + width * (3 if colour == 2 else 1)) + 1)
    parts = (b"IHDR", header), (b"IDAT", _uncompressed(pixels)), (b"IEND", b"")
    return PNG + b"".join(
        len(content).to_bytes(4, "big") + kind + content + _crc(kind, content).to_bytes(4, "big")
        for kind, content in parts
    )


def _uncompressed(content: bytes) -> bytes:
    """Return a zlib stream of stored blocks (RFC 1950 and 1951, section 3.2.4), which is quicker than compressing at level 0."""
    view, last = memoryview(content), (len(content) - 1) // STORED_BLOCK * STORED_BLOCK
    parts: list[bytes | memoryview] = [b"\x78\x01"]
    for start in range(0, len(content), STORED_BLOCK):
        block = view[start : start + STORED_BLOCK]
        parts += struct.pack("<BHH", start == last, len(block), len(block) ^ 0xFFFF), block
    return b"".join([*parts, zlib_ng.adler32(content).to_bytes(4, "big")])


def _crc(kind: bytes, content: bytes) -> int:
    return zlib_ng.crc32(content, zlib_ng.crc32(kind))


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
