"""The parts of a PNG file: header, chunks, compressed pixels (PNG specification, third edition)."""

from __future__ import annotations

import struct
from typing import NamedTuple

from zlib_ng import zlib_ng

SIGNATURE = b"\x89PNG\r\n\x1a\n"
GREY, RGB, PALETTE, GREY_ALPHA, RGB_ALPHA = 0, 2, 3, 4, 6
# Samples per pixel by colour type.
SAMPLES = {GREY: 1, RGB: 3, PALETTE: 1, GREY_ALPHA: 2, RGB_ALPHA: 4}
STORED_BLOCK = 65535


class Header(NamedTuple):
    """The content of IHDR."""

    width: int
    height: int
    depth: int
    colour: int
    compression: int
    filters: int
    interlace: int


def minimal_png(header: Header, compressed: list[bytes | memoryview]) -> bytes:
    """Return a PNG file of only a header and these pixels, a zlib stream in parts."""
    chunks = (b"IHDR", [struct.pack(">IIBBBBB", *header)]), (b"IDAT", compressed), (b"IEND", [])
    file: list[bytes | memoryview] = [SIGNATURE]
    for kind, parts in chunks:
        file += [sum(map(len, parts)).to_bytes(4, "big"), kind, *parts, crc_bytes(kind, *parts)]
    # A single copy; for a scan it takes as long as inflating.
    return b"".join(file)


def stored_zlib(content: bytes) -> list[bytes | memoryview]:
    """Return a zlib stream of stored blocks (RFC 1950; RFC 1951, section 3.2.4), faster than compression level 0."""
    view, last = memoryview(content), (len(content) - 1) // STORED_BLOCK * STORED_BLOCK
    parts: list[bytes | memoryview] = [b"\x78\x01"]
    for start in range(0, len(content), STORED_BLOCK):
        block = view[start : start + STORED_BLOCK]
        parts += struct.pack("<BHH", start == last, len(block), len(block) ^ 0xFFFF), block
    return [*parts, zlib_ng.adler32(content).to_bytes(4, "big")]


def crc_bytes(*parts: bytes | memoryview) -> bytes:
    """Return the checksum that ends a chunk, of its type and content."""
    crc = 0
    for part in parts:
        crc = zlib_ng.crc32(part, crc)
    return crc.to_bytes(4, "big")
