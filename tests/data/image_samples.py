"""Image files for tests: encoded by Pillow, or assembled by hand where Pillow cannot write them."""

import io
import struct
import zlib

import numpy as np
from PIL import Image, ImageOps

SIGNATURE = b"\x89PNG\r\n\x1a\n"
ADAM7 = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]


def encoded(image: np.ndarray | Image.Image, kind: str = "PNG", **options) -> bytes:
    image = image if isinstance(image, Image.Image) else Image.fromarray(image)
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def rotated(orientation: int) -> Image.Exif:
    """EXIF data that ask for this orientation."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


def as_pillow_reads(data: bytes, mode: str) -> np.ndarray:
    values = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert(mode))
    return values if values.ndim == 3 else values[..., np.newaxis]


def chunk(kind: bytes, content: bytes) -> bytes:
    """A chunk of a PNG file, with the checksum that it must have."""
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def header(size: tuple[int, int], depth: int, colour: int, interlace: int = 0) -> bytes:
    """The chunk IHDR of a PNG file of this width and height."""
    return chunk(b"IHDR", struct.pack(">IIBBBBB", *size, depth, colour, 0, 0, interlace))


def png(size: tuple[int, int], depth: int, colour: int, packed: bytes, *between: bytes, interlace: int = 0) -> bytes:
    """A PNG file of this width and height with a zlib stream as its pixels, and other chunks before it."""
    parts = header(size, depth, colour, interlace), *between, chunk(b"IDAT", packed), chunk(b"IEND", b"")
    return SIGNATURE + b"".join(parts)


def rows(samples: np.ndarray) -> bytes:
    """The zlib stream of samples [height, ...], each row as it is."""
    return zlib.compress(b"".join(b"\0" + row.tobytes() for row in samples))


def interlaced_png(image: np.ndarray) -> bytes:
    """An Adam7-interlaced 8-bit grey PNG."""
    content = b""
    for top, left, down, right in ADAM7:
        part = image[top::down, left::right]
        content += b"".join(b"\0" + row.tobytes() for row in part if part.size)
    return png(image.shape[::-1], 8, 0, zlib.compress(content), interlace=1)


def bmp(size: tuple[int, int], pixels: bytes, depth: int = 24, compression: int = 0, masks: bytes = b"") -> bytes:
    """A BMP file of this width and height (negative: from the top), with masks or a palette before the pixels."""
    info = struct.pack("<IiiHHIIiiII", 40, *size, 1, depth, compression, len(pixels), 2835, 2835, 0, 0) + masks
    return b"BM" + struct.pack("<IHHI", 14 + len(info) + len(pixels), 0, 0, 14 + len(info)) + info + pixels


def webp(*chunks: tuple[bytes, bytes]) -> bytes:
    """A WebP file of these chunks."""
    body = b"".join(
        kind + struct.pack("<I", len(content)) + content + bytes(len(content) % 2) for kind, content in chunks
    )
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WEBP" + body


def jpeg_of_size(data: bytes, width: int, height: int) -> bytes:
    """A baseline JPEG file that declares another size than it has."""
    at = data.find(b"\xff\xc0") + 5
    return data[:at] + struct.pack(">HH", height, width) + data[at + 4 :]


def without_segment(data: bytes, marker: bytes) -> bytes:
    """A JPEG file without its first segment of this kind."""
    at = data.find(marker)
    return data[:at] + data[at + 2 + struct.unpack(">H", data[at + 2 : at + 4])[0] :]
