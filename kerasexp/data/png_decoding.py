"""Strict PNG decoding: every checksum is compared and no pixel may be missing (PNG specification, third edition)."""

from __future__ import annotations

import struct
from collections.abc import Callable

import numpy as np
from zlib_ng import zlib_ng

from kerasexp.backend import import_tensorflow
from kerasexp.data.orientation import ORIENTATION, on_white, upright
from kerasexp.data.png_filters import is_plain, unfiltered
from kerasexp.data.png_parts import GREY, PALETTE, RGB, SAMPLES, SIGNATURE, Header, crc_bytes, minimal_png, stored_zlib
from kerasexp.data.source import MAX_PIXELS, BrokenImage, WrongPixelCount

# Largest compression ratio of deflate.
DEFLATE_RATIO = 1032
# More bytes than this are inflated in pieces, by TensorFlow.
MAX_INFLATED = 2**28
UNPACKABLE = "the PNG file is damaged: its pixels cannot be unpacked, or some are missing"


def upper_bits(values: np.ndarray) -> np.ndarray:
    """Return the upper 8 bits of uint16 samples, and uint8 samples as they are."""
    return (values >> 8).astype(np.uint8) if values.dtype == np.uint16 else values


def decode_png(data: bytes, to_uint8: Callable[[np.ndarray], np.ndarray] = upper_bits) -> np.ndarray:
    """Decode a PNG file; an animated one gives its default image.

    Args:
        data: content of the file.
        to_uint8: converts grey and colour samples, uint8 or uint16 [height, width, 1 or 3]. Palettes and samples of fewer
            than 8 bits, whose range is known, are not passed to it.

    Returns:
        uint8 [height, width, 1 or 3].

    Raises:
        BrokenImage: a checksum is wrong, the file or its pixels are cut off, it violates the specification, or it has
            more than 100 megapixels.
    """
    chunks = _chunks(data)
    header = _header(chunks)
    pixels = _stored_values(header, chunks[b"IDAT"])
    # 8-bit grey and RGB, the formats of nearly all scans, skip all of the following.
    if header.colour == PALETTE:
        pixels = _colours(pixels, header, chunks)
    elif header.colour in (GREY, RGB) and b"tRNS" in chunks:
        pixels = _with_alpha(pixels, header, chunks[b"tRNS"])
    if header.depth >= 8 and header.colour != PALETTE:
        pixels = in_range(pixels, to_uint8)
    if pixels.shape[2] in (2, 4):
        pixels = on_white(pixels)
    return upright(pixels, _orientation(chunks[b"eXIf"])) if b"eXIf" in chunks else pixels


def png_pixel_count(data: bytes) -> int:
    """Return the number of pixels that `decode_png` would decode; raise BrokenImage if it would not."""
    header = _header(_chunks(data))
    return header.width * header.height


def in_range(pixels: np.ndarray, to_uint8: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Convert the samples; alpha has all bits, and what is hidden by it does not count."""
    if pixels.shape[2] in (1, 3):
        return to_uint8(pixels)
    colours, alpha = pixels[..., :-1], pixels[..., -1:]
    if pixels.dtype == np.uint8:
        converted = to_uint8(colours)
        return pixels if converted is colours else np.dstack([converted, alpha])
    if not alpha.any():
        return upper_bits(pixels)
    seen = np.where(alpha > 0, colours, colours[alpha[..., 0] > 0][0])
    return np.dstack([to_uint8(seen), upper_bits(alpha)])


def _chunks(data: bytes) -> dict[bytes, bytes]:
    """Return the content of the first chunk of each type up to IEND, with all IDAT chunks joined (section 5.3)."""
    if not data.startswith(SIGNATURE):
        raise BrokenImage("the PNG file is damaged: its line ends were changed, as by a transfer in text mode")
    chunks, compressed, at = {}, [], len(SIGNATURE)
    while at + 12 <= len(data):
        length, kind = struct.unpack(">I4s", data[at : at + 8])
        content, crc = data[at + 8 : at + 8 + length], data[at + 8 + length : at + 12 + length]
        if len(crc) < 4:
            break
        if crc_bytes(kind, content) != crc:
            raise BrokenImage("the PNG file is damaged: a checksum is wrong")
        if kind == b"IEND":
            return {**chunks, b"IDAT": b"".join(compressed)}
        if kind == b"IDAT":
            compressed.append(content)
        else:
            chunks.setdefault(kind, content)
        at += 12 + length
    raise BrokenImage("the PNG file is cut off")


def _header(chunks: dict[bytes, bytes]) -> Header:
    content = chunks.get(b"IHDR", b"")
    if len(content) != 13:
        raise BrokenImage("the PNG file is damaged: its header is missing")
    header = Header(*struct.unpack(">IIBBBBB", content))
    if header.colour not in SAMPLES or (header.colour == PALETTE and header.depth > 8):
        raise BrokenImage(f"the PNG file is damaged: invalid colour type {header.colour} with {header.depth} bits")
    if not 0 < (count := header.width * header.height) <= MAX_PIXELS:
        raise WrongPixelCount(f"{header.width}x{header.height} pixels; an image has 1 to {MAX_PIXELS:,}", count)
    return header


def _stored_values(header: Header, compressed: bytes) -> np.ndarray:
    """Return the stored samples, uint8 or uint16 [height, width, samples]; with a palette, its indexes.

    Grey of fewer than 8 bits is stretched to 0..255. So are indexes, because they are decoded as grey.
    """
    if header.colour == PALETTE:
        header = header._replace(colour=GREY)
    try:
        rows = _inflated(header, compressed)
    except zlib_ng.error:
        raise BrokenImage(UNPACKABLE) from None
    if rows is not None and is_plain(header, rows):
        return unfiltered(header, rows)
    return _by_tensorflow(minimal_png(header, [compressed] if rows is None else stored_zlib(rows)), header.depth)


def _by_tensorflow(file: bytes, depth: int) -> np.ndarray:
    import_tensorflow()
    import tensorflow as tf

    try:
        with tf.device("CPU"):
            decoded = tf.io.decode_png(file, dtype=tf.uint16 if depth == 16 else tf.uint8)
            # A view of the tensor's memory; `.numpy()` would copy it.
            return np.asarray(memoryview(decoded))
    except tf.errors.InvalidArgumentError:
        raise BrokenImage(UNPACKABLE) from None


def _inflated(header: Header, compressed: bytes) -> bytes | None:
    """Return the filtered rows, or None if TensorFlow should decode the stream.

    zlib-ng inflates four times as fast as TensorFlow, OpenCV and Pillow do.
    """
    size = header.height * (1 + (header.width * header.depth * SAMPLES[header.colour] + 7) // 8)
    if size > len(compressed) * DEFLATE_RATIO:
        raise zlib_ng.error("too few bytes for an image of this size, whose memory would be allocated first")
    if size > MAX_INFLATED:
        return None
    stream = zlib_ng.decompressobj()
    rows = stream.decompress(compressed, size + 1)
    # Any other length may be an interlaced image.
    return rows if stream.eof and len(rows) == size else None


def _colours(values: np.ndarray, header: Header, chunks: dict[bytes, bytes]) -> np.ndarray:
    """Return the palette colours of stretched indexes: uint8 [h, w, 3], or [h, w, 4] with transparency."""
    table = np.frombuffer(chunks.get(b"PLTE", b""), np.uint8)
    indexes = values[..., 0] // (255 // (2**header.depth - 1))
    if len(table) % 3 or int(indexes.max()) >= len(table) // 3:
        raise BrokenImage("the PNG file is damaged: some colours are missing from its palette")
    table = table.reshape(-1, 3)
    if b"tRNS" in chunks:
        alpha = np.full((len(table), 1), 255, np.uint8)
        given = np.frombuffer(chunks[b"tRNS"][: len(table)], np.uint8)
        alpha[: len(given), 0] = given
        table = np.hstack([table, alpha])
    return table[indexes]


def _with_alpha(pixels: np.ndarray, header: Header, transparent: bytes) -> np.ndarray:
    """Add an alpha channel: the one colour in tRNS is transparent (section 11.3.1.1)."""
    if len(transparent) != 2 * pixels.shape[2]:
        raise BrokenImage("the PNG file is damaged: its transparent colour is invalid")
    colour = np.array(struct.unpack(f">{pixels.shape[2]}H", transparent))
    if header.depth < 8:
        colour = colour * (255 // (2**header.depth - 1))
    opaque = (pixels != colour).any(axis=2, keepdims=True)
    return np.dstack([pixels, np.where(opaque, np.iinfo(pixels.dtype).max, 0).astype(pixels.dtype)])


def _orientation(exif: bytes) -> int:
    from PIL import Image

    tags = Image.Exif()
    try:
        tags.load(exif)
    except (SyntaxError, ValueError, struct.error) as error:
        raise BrokenImage(
            f"the PNG file is damaged: its EXIF data, which may contain a rotation, cannot be read: {error}"
        ) from None
    return tags.get(ORIENTATION, 1)
