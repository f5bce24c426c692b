"""A realistic set of images: many good ones of every supported format, and broken ones of every kind of damage.

What a good one shows is known from the array that it was drawn as, and never from decoding it. Bytes that were changed
within the pixels of a JPEG, BMP or WebP file are not among the damages: such a file has no checksum.
"""

import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from image_samples import (
    SIGNATURE,
    bmp,
    chunk,
    encoded,
    header,
    interlaced_png,
    jpeg_of_size,
    png,
    rotated,
    rows,
    webp,
    without_segment,
)
from PIL import Image

HEIGHT, WIDTH = 24, 32
SIZE = (WIDTH, HEIGHT)
CLASSES = ("across", "disc", "upright")
# Mean difference, of 255, between an image and what lossy compression makes of it.
LOSS = 3.0
# What other programs leave in folders; it is neither an image nor a fault.
CLUTTER = (
    ".DS_Store",
    "Thumbs.db",
    "notes.txt",
    "across/._00001.png",
    "disc/.hidden.png",
    "__MACOSX/across/._00001.png",
)


@dataclass(frozen=True)
class Good:
    """A readable image: its file, what it shows (uint8 [24, 32, 1 or 3]) and how far from that decoding may be."""

    data: bytes
    shows: np.ndarray
    tolerance: float = 0.0


@dataclass(frozen=True)
class Expected:
    """What is to become of a set: the good ones by name, and the kind of each broken one by name."""

    good: dict[str, Good]
    broken: dict[str, str]


def draw(number: int) -> np.ndarray:
    """Draw image `number`, uint8 [24, 32, 3]: soft waves of colour, in which no two parts are alike."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH, 0:3][:2]
    phase, pace = np.random.default_rng(number).uniform((0, 0.05), (6, 0.2), (3, 2)).T
    return np.rint(128 + 100 * np.sin(phase + pace * x) * np.cos(phase - pace * y)).astype(np.uint8)


def _grey(p: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(p[..., :1])


def _images(p: np.ndarray) -> list[Image.Image]:
    return [Image.fromarray(p), Image.fromarray(255 - p)]


def _alpha(p: np.ndarray) -> np.ndarray:
    """The image with its right half transparent."""
    return np.dstack([p, np.where(np.arange(WIDTH) < WIDTH // 2, 255, 0) * np.ones((HEIGHT, 1))]).astype(np.uint8)


def _half_white(p: np.ndarray) -> np.ndarray:
    return np.where(np.arange(WIDTH)[:, None] < WIDTH // 2, p, 255).astype(np.uint8)


def _few_colours(p: np.ndarray, kind: str) -> Good:
    image = Image.fromarray(p).quantize(16)
    return Good(encoded(image, kind), np.array(image.getpalette(), np.uint8).reshape(-1, 3)[np.asarray(image)])


def _deep(p: np.ndarray) -> np.ndarray:
    """16 bits, of which the lower 8 are anything."""
    return (p.astype(np.uint16) << 8 | p[::-1]).astype(">u2")


def _deep_tiff(p: np.ndarray) -> bytes:
    """A TIFF file of 16 bits in colour, which Pillow cannot write."""
    return cv2.imencode(".tif", _deep(p).astype(np.uint16)[..., ::-1])[1].tobytes()


def _animated_gif(p: np.ndarray) -> Good:
    first = Image.fromarray(p).quantize(16)
    shown = np.array(first.getpalette(), np.uint8).reshape(-1, 3)[np.asarray(first)]
    return Good(encoded(first, "GIF", save_all=True, append_images=[Image.fromarray(255 - p).quantize(16)]), shown)


# Kind and extension -> the file, given what it shows.
GOOD: dict[str, Callable[[np.ndarray], Good]] = {
    "rgb.png": lambda p: Good(encoded(p), p),
    "grey.png": lambda p: Good(encoded(p[..., 0]), _grey(p)),
    "palette.png": lambda p: _few_colours(p, "PNG"),
    "transparent.png": lambda p: Good(encoded(_alpha(p)), _half_white(p)),
    "16 bit grey.png": lambda p: Good(png(SIZE, 16, 0, rows(_deep(_grey(p)))), _grey(p)),
    "16 bit rgb.png": lambda p: Good(png(SIZE, 16, 2, rows(_deep(p))), p),
    "1 bit.png": lambda p: Good(encoded(Image.fromarray(p[..., 0] > 127)), np.where(_grey(p) > 127, 255, 0)),
    "interlaced.png": lambda p: Good(interlaced_png(p[..., 0]), _grey(p)),
    "animated.png": lambda p: Good(encoded(_images(p)[0], save_all=True, append_images=_images(p)[1:]), p),
    "on its side.png": lambda p: Good(encoded(np.rot90(p), exif=rotated(6)), p),
    "something after it.png": lambda p: Good(encoded(p) + b"mailed by ...", p),
    "called otherwise.jpg": lambda p: Good(encoded(p), p),
    "rgb.jpg": lambda p: Good(encoded(p, "JPEG", quality=95), p, LOSS),
    "grey.jpeg": lambda p: Good(encoded(p[..., 0], "JPEG", quality=95), _grey(p), LOSS),
    "progressive.JPG": lambda p: Good(encoded(p, "JPEG", quality=95, progressive=True), p, LOSS),
    "cmyk.jpg": lambda p: Good(encoded(Image.fromarray(p).convert("CMYK"), "JPEG", quality=95), p, LOSS),
    "upside down.jpg": lambda p: Good(encoded(p[::-1, ::-1], "JPEG", quality=95, exif=rotated(3)), p, LOSS),
    "called otherwise.png": lambda p: Good(encoded(p, "JPEG", quality=95), p, LOSS),
    "rgb.bmp": lambda p: Good(encoded(p, "BMP"), p),
    "from the top.bmp": lambda p: Good(bmp((WIDTH, -HEIGHT), np.ascontiguousarray(p[..., ::-1]).tobytes()), p),
    "palette.bmp": lambda p: _few_colours(p, "BMP"),
    "lossless.webp": lambda p: Good(encoded(p, "WEBP", lossless=True), p),
    "lossy.webp": lambda p: Good(encoded(p, "WEBP", quality=95), p, LOSS),
    "transparent.webp": lambda p: Good(encoded(_alpha(p), "WEBP", lossless=True), _half_white(p)),
    "animated.webp": lambda p: Good(
        encoded(_images(p)[0], "WEBP", save_all=True, append_images=_images(p)[1:], lossless=True), p
    ),
    "rgb.tif": lambda p: Good(encoded(p, "TIFF"), p),
    "packed grey.tiff": lambda p: Good(encoded(p[..., 0], "TIFF", compression="tiff_lzw"), _grey(p)),
    "16 bit grey.tif": lambda p: Good(encoded(_deep(_grey(p))[..., 0].astype(np.uint16), "TIFF"), _grey(p)),
    "16 bit rgb.tif": lambda p: Good(_deep_tiff(p), p),
    "transparent.tif": lambda p: Good(encoded(_alpha(p), "TIFF"), _half_white(p)),
    "cmyk.tif": lambda p: Good(encoded(Image.fromarray(p).convert("CMYK"), "TIFF"), p),
    "several pages.tif": lambda p: Good(encoded(_images(p)[0], "TIFF", save_all=True, append_images=_images(p)[1:]), p),
    "on its side.tif": lambda p: Good(encoded(np.rot90(p), "TIFF", exif=rotated(6)), p),
    "palette.gif": lambda p: _few_colours(p, "GIF"),
    "animated.gif": lambda p: _animated_gif(p),
    "lossless.jp2": lambda p: Good(encoded(p, "JPEG2000"), p),
    "lossy.jp2": lambda p: Good(
        encoded(p, "JPEG2000", irreversible=True, quality_mode="dB", quality_layers=[42]), p, LOSS
    ),
    "rgb.avif": lambda p: Good(encoded(p, "AVIF", quality=95), p, LOSS),
    "on its side.avif": lambda p: Good(encoded(np.rot90(p), "AVIF", quality=95, exif=rotated(6)), p, LOSS),
    "transparent.avif": lambda p: Good(encoded(_alpha(p), "AVIF", quality=95), _half_white(p), LOSS),
}


def _cut(data: bytes, number: int) -> bytes:
    """A file cut at 25, 50, 75 or 99 %."""
    return data[: len(data) * (25, 50, 75, 99)[number % 4] // 100]


def _changed(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 0x5A]) + data[at + 1 :]


def _ends_in_zeros(data: bytes) -> bytes:
    return data[: len(data) // 2] + bytes(len(data) - len(data) // 2)


def _huge_webp() -> bytes:
    return webp((b"VP8L", b"\x2f" + struct.pack("<I", 16382 | 16382 << 14) + bytes(20)))


# Kind and extension -> the file, given an image and a number that varies the damage.
BROKEN: dict[str, Callable[[np.ndarray, int], bytes]] = {
    "empty.png": lambda p, n: b"",
    "zeros.jpg": lambda p, n: bytes(1000 + n),
    "noise.bmp": lambda p, n: b"?" + np.random.default_rng(n).bytes(2000),
    "text.png": lambda p, n: f"image {n} is on the other disc\n".encode(),
    "a web page.jpg": lambda p, n: f"<!DOCTYPE html><title>404: {n}</title>".encode(),
    "not fetched.png": lambda p, n: f"version https://git-lfs.github.com/spec/v1\noid sha256:{n:064x}\n".encode(),
    "netpbm.png": lambda p, n: encoded(p, "PPM"),
    "netpbm.ppm": lambda p, n: encoded(p, "PPM"),
    "float.tif": lambda p, n: encoded(p[..., 0].astype(np.float32), "TIFF"),
    "cut.tif": lambda p, n: _cut(encoded(p, "TIFF"), n),
    "cut packed.tiff": lambda p, n: _cut(encoded(p, "TIFF", compression="tiff_lzw"), n),
    "cut 16 bit.tif": lambda p, n: _cut(_deep_tiff(p), n),
    "cut.gif": lambda p, n: _cut(encoded(Image.fromarray(p).quantize(16), "GIF"), n),
    "cut.jp2": lambda p, n: _cut(encoded(p, "JPEG2000"), n),
    "cut.avif": lambda p, n: _cut(encoded(p, "AVIF"), n),
    "cut.png": lambda p, n: _cut(encoded(p), n),
    "cut palette.png": lambda p, n: _cut(encoded(Image.fromarray(p).quantize(16)), n),
    "only a signature.png": lambda p, n: SIGNATURE,
    "no end.png": lambda p, n: encoded(p)[:-12],
    "changed pixels.png": lambda p, n: _changed(encoded(p), 60 + n % 200),
    "changed header.png": lambda p, n: _changed(encoded(p), 16 + n % 13),
    "ends in zeros.png": lambda p, n: _ends_in_zeros(encoded(p)),
    "sent as text.png": lambda p, n: encoded(p).replace(b"\r\n", b"\n"),
    "rows missing.png": lambda p, n: png(SIZE, 8, 6, rows(_alpha(p)[: n % HEIGHT])),
    "16 bit rows missing.png": lambda p, n: png(SIZE, 16, 0, rows(_deep(_grey(p))[: n % HEIGHT])),
    "pixels end early.png": lambda p, n: png(SIZE, 8, 2, rows(p)[: -1 - n % 50]),
    "palette missing.png": lambda p, n: png(SIZE, 8, 3, rows(_grey(p))),
    "palette too short.png": lambda p, n: png(SIZE, 8, 3, rows(_grey(p)), chunk(b"PLTE", bytes(range(9)))),
    "no width.png": lambda p, n: png((0, HEIGHT), 8, 2, rows(p)),
    "no pixels.png": lambda p, n: SIGNATURE + header(SIZE, 8, 2) + chunk(b"IEND", b""),
    "bomb.png": lambda p, n: png((30_000, 30_000), 1, 0, zlib.compress(bytes(10_000))),
    "cut.jpg": lambda p, n: _cut(encoded(p, "JPEG"), n),
    "cut grey.jpg": lambda p, n: _cut(encoded(p[..., 0], "JPEG"), n),
    "cut progressive.jpg": lambda p, n: _cut(encoded(p, "JPEG", progressive=True), n),
    "ends in zeros.jpg": lambda p, n: _ends_in_zeros(encoded(p, "JPEG")),
    "tables missing.jpg": lambda p, n: without_segment(encoded(p, "JPEG"), b"\xff\xdb"),
    "bomb.jpg": lambda p, n: jpeg_of_size(encoded(p, "JPEG"), 65_500, 65_500),
    "small bomb.jpg": lambda p, n: jpeg_of_size(encoded(p, "JPEG"), 9_000, 9_000),
    "cut.bmp": lambda p, n: _cut(encoded(p, "BMP"), n),
    "bomb.bmp": lambda p, n: bmp((60_000, 60_000), p.tobytes()),
    "cut.webp": lambda p, n: _cut(encoded(p, "WEBP"), n),
    "cut lossless.webp": lambda p, n: _cut(encoded(p, "WEBP", lossless=True), n),
    "bomb.webp": lambda p, n: _huge_webp(),
}


def make_set(folder: Path, good: int, broken: int) -> Expected:
    """Write so many good and broken images, each kind in turn, into the folders of three classes, and clutter."""
    expected = Expected({}, {})
    for number in range(good):
        kind = list(GOOD)[number % len(GOOD)]
        expected.good[f"{CLASSES[number % 3]}/{number:05d} {kind}"] = GOOD[kind](draw(number))
    contents = {name: image.data for name, image in expected.good.items()}
    for number in range(broken):
        kind = list(BROKEN)[number % len(BROKEN)]
        name = f"{CLASSES[number // 2 % 3]}/{number:05d} broken {kind}"
        expected.broken[name] = kind
        # The number counts this kind's images, so that each is cut and changed at every place.
        contents[name] = BROKEN[kind](draw(good + number), number // len(BROKEN))
    contents |= dict.fromkeys(CLUTTER, b"clutter")
    for name, data in contents.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return expected
