"""The formats of image files: by their names, and by their first bytes."""

from __future__ import annotations

from kerasexp.data.source import BrokenImage

EXTENSIONS = (
    ".png",
    ".jpg",
    ".jpeg",
    ".bmp",
    ".webp",
    ".tif",
    ".tiff",
    ".gif",
    ".avif",
    ".jp2",
    ".j2k",
    ".heic",
    ".heif",
)
# Other extensions of images. Such a file is decoded if its content is in a supported format, and otherwise reported as
# unreadable, which is better than silently training without it.
OTHER_EXTENSIONS = (
    ".jpe",
    ".jfif",
    ".dib",
    ".apng",
    ".jpf",
    ".jpx",
    ".jxl",
    ".ppm",
    ".pgm",
    ".pbm",
    ".pnm",
    ".tga",
    ".psd",
    ".dcm",
    ".dng",
)
IMAGE_EXTENSIONS = frozenset(EXTENSIONS + OTHER_EXTENSIONS)
# First bytes of supported formats, under Pillow's names; and of other formats of images, and of the files most often found under
# the name of an image.
FORMATS = {
    b"\x89PNG": "PNG",
    b"\xff\xd8": "JPEG",
    b"BM": "BMP",
    b"GIF8": "GIF",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"II+\0": "TIFF",
    b"MM\0+": "TIFF",
    b"\0\0\0\x0cjP  ": "JPEG2000",
    b"\xff\x4f\xff\x51": "JPEG2000",
}
IMAGE_FORMATS = {
    b"\0\0\0\x0cJXL": "JPEG XL",
    b"\xff\x0a": "JPEG XL",
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
# Brands of the first box of a file in ISO's base media format (ISO/IEC 23000-22 and 23008-12, AVIF 1.1).
AVIF_BRANDS = {b"avif", b"avis"}
HEIF_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}
NAMES = {"WEBP": "WebP", "JPEG2000": "JPEG 2000", "HEIF": "HEIC"}
SUPPORTED = "PNG, JPEG, BMP, WebP, TIFF, GIF, AVIF, JPEG 2000, HEIC"


def is_image_name(path: str) -> bool:
    """Return whether the extension is that of an image."""
    return path[path.rfind(".") :].lower() in IMAGE_EXTENSIONS


def supported_format(data: bytes) -> str | None:
    """Return Pillow's name of the format of a file that begins so; None if it is not supported."""
    for start, name in FORMATS.items():
        if data.startswith(start):
            return name
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "WEBP"
    if data[4:8] == b"ftyp":
        end = min(int.from_bytes(data[:4], "big"), len(data))
        brands = {data[8:12], *(data[at : at + 4] for at in range(16, end, 4))}
        return "AVIF" if brands & AVIF_BRANDS else "HEIF" if brands & HEIF_BRANDS else None
    return None


def format_of(data: bytes) -> str:
    """Return Pillow's name of the format of a file.

    Raises:
        BrokenImage: the file is empty or of another format; the message says which.
    """
    if not data:
        raise BrokenImage("the file is empty")
    if (found := supported_format(data)) is not None:
        return found
    image, other = (_named(data, formats) for formats in (IMAGE_FORMATS, NO_IMAGE_FORMATS))
    if image is not None:
        raise BrokenImage(f"the file is {image}; supported formats: {SUPPORTED}; convert it, best to PNG")
    if data[4:8] == b"ftyp":
        other = "a video"
    if other is not None:
        raise BrokenImage(f"the file is {other}; supported formats: {SUPPORTED}")
    if not data.strip(b"\0"):
        raise BrokenImage("the file consists of zero bytes only")
    raise BrokenImage(f"the file is no image of a supported format: {SUPPORTED}")


def _named(data: bytes, formats: dict[bytes, str]) -> str | None:
    """Return the format whose files begin so; None if it is none of these."""
    begin = data[:32].lstrip().lower()
    return next((name for start, name in formats.items() if begin.startswith(start.lower())), None)
