"""What the first bytes of a file say: whether it is an image, and how large it is uncompressed."""

from __future__ import annotations

import struct
from contextlib import suppress
from pathlib import Path

from kerasexp.data.image_formats import supported_format

START_BYTES = 64
# Formats whose first bytes alone may be others': more of what their files begin with.
MORE_OF_START = {"PNG": b"\x89PNG\r\n\x1a\n", "JPEG": b"\xff\xd8\xff", "GIF": (b"GIF87a", b"GIF89a")}
# Values of each pixel by the colour type of a PNG file: grey, RGB, palette, grey with alpha, RGB with alpha.
PNG_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
# Room for a palette, a colour profile and the like, and the growth of pixels that cannot be compressed.
MORE_BYTES, GROWTH = 2**16, 1.01


def start_of(path: str | Path) -> bytes:
    """Return the first bytes of a file; none where it cannot be read, which whoever reads it whole reports."""
    with suppress(OSError), open(path, "rb", buffering=0) as file:
        return file.read(START_BYTES)
    return b""


def is_image_start(start: bytes) -> bool:
    """Return whether a file that begins so is an image of a supported format."""
    kind = supported_format(start)
    if kind in MORE_OF_START:
        return start.startswith(MORE_OF_START[kind])
    # Text may begin with BM, and has no zero bytes.
    return kind is not None and (kind != "BMP" or start[6:10] == bytes(4))


def uncompressed_size(start: bytes) -> int:
    """Return the size, in bytes, of a BMP or uncompressed PNG file of the width and height in its header; 0 for others."""
    if len(start) < 34 or not is_image_start(start):
        return 0
    if start.startswith(b"BM"):
        offset, width, height, _, depth = struct.unpack_from("<I4xiiHH", start, 10)
        pixels = (abs(width) * depth + 31) // 32 * 4 * abs(height)
        return offset + pixels + MORE_BYTES if offset <= MORE_BYTES else 0
    if start.startswith(b"\x89PNG"):
        width, height, depth, colour = struct.unpack_from(">IIBB", start, 16)
        row = 1 + (width * depth * PNG_CHANNELS.get(colour, 0) + 7) // 8
        return round(GROWTH * row * height) + MORE_BYTES
    return 0
