"""Every kind of picture file is read as Pillow reads it, and what is no picture is told apart."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageOps, PngImagePlugin

from kerasexp.data import decoding
from kerasexp.data.decoding import _decode_any, _decode_plain_png, _is_plain, _png_chunks, _uncompressed, decode
from kerasexp.data.pictures import BrokenPicture

GENERATOR = np.random.default_rng(0)
GREY = GENERATOR.integers(0, 256, (20, 31), np.uint8)
RGB = GENERATOR.integers(0, 256, (20, 31, 3), np.uint8)
SMOOTH = np.stack([np.add.outer(np.arange(40) * 3, np.arange(60) * k) for k in (1, 2, 0)], axis=2).astype(np.uint8)


def encoded(picture: np.ndarray | Image.Image, kind: str = "PNG", **options) -> bytes:
    image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def as_pillow_reads(data: bytes, mode: str) -> np.ndarray:
    values = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert(mode))
    return values if values.ndim == 3 else values[..., np.newaxis]


def png(width: int, height: int, depth: int, colour: int, rows: bytes, *, interlace: int = 0, size: int = 0) -> bytes:
    """A PNG file put together by hand, for what Pillow cannot write."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", size or width, size or height, depth, colour, 0, 0, interlace)
    parts = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


def interlaced_png(picture: np.ndarray) -> bytes:
    """An Adam7-interlaced 8-bit grey PNG."""
    passes = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]
    rows = b""
    for top, left, down, right in passes:
        part = picture[top::down, left::right]
        rows += b"".join(b"\0" + row.tobytes() for row in part if part.size)
    return png(picture.shape[1], picture.shape[0], 8, 0, rows, interlace=1)


# PNG


@pytest.mark.parametrize(("picture", "mode"), [(GREY, "L"), (RGB, "RGB")])
def test_a_plain_png_is_read_exactly(picture, mode):
    decoded = decode(encoded(picture))
    assert decoded.dtype == np.uint8
    assert np.array_equal(decoded, picture.reshape(20, 31, -1))
    assert np.array_equal(decoded, as_pillow_reads(encoded(picture), mode))


@pytest.mark.parametrize("picture", [GREY, RGB, SMOOTH], ids=["grey", "noise", "smooth"])
@pytest.mark.parametrize("options", [{}, {"optimize": True}, {"dpi": (300, 300)}], ids=str)
def test_both_ways_to_read_a_plain_png_agree(picture, options):
    data = encoded(picture, **options)
    chunks = _png_chunks(data)
    assert _is_plain(chunks)
    assert np.array_equal(_decode_plain_png(data, chunks), _decode_any(data))


def test_a_png_that_could_be_a_bomb_is_inflated_by_tensorflow(monkeypatch):
    monkeypatch.setattr(decoding, "MAX_INFLATED", 0)
    assert np.array_equal(decode(encoded(RGB)), RGB)


@pytest.mark.parametrize("count", [1, 65535, 65536, 200_000])
def test_the_uncompressed_stream_is_zlib(count):
    content = bytes(range(256)) * (count // 256) + b"x" * (count % 256)
    assert zlib.decompress(_uncompressed(content)) == content


@pytest.mark.parametrize("at", [20, 60, -20])
def test_one_changed_byte_in_a_png_is_found(at):
    data = bytearray(encoded(RGB))
    data[at] ^= 1
    with pytest.raises(BrokenPicture, match="damaged"):
        decode(bytes(data))


def test_transparency_lies_on_white():
    picture = np.dstack([RGB, np.zeros((20, 31), np.uint8)])
    picture[:10, :, 3] = 255
    decoded = decode(encoded(picture))
    assert np.array_equal(decoded[:10], RGB[:10])
    assert (decoded[10:] == 255).all()


def test_half_transparent_ink_is_grey():
    picture = np.zeros((4, 4, 4), np.uint8)
    picture[..., 3] = 128
    assert (decode(encoded(picture)) == 127).all()


def test_transparent_grey_lies_on_white():
    picture = np.dstack([GREY, np.where(np.arange(31) < 15, 0, 255) * np.ones((20, 1))]).astype(np.uint8)
    decoded = decode(encoded(Image.fromarray(picture, "LA")))
    assert (decoded[:, :15] == 255).all()
    assert np.array_equal(decoded[:, 15:, 0], GREY[:, 15:])


@pytest.mark.parametrize("before", [0, 5000], ids=["early", "late"])
@pytest.mark.parametrize(("picture", "colour"), [(GREY, 7), (RGB, (1, 2, 3))], ids=["grey", "rgb"])
def test_a_colour_named_transparent_is_white(picture, colour, before):
    picture = picture.copy()
    picture[:10] = colour
    text = PngImagePlugin.PngInfo()
    text.add_text("Comment", "x" * before)  # the chunk that names the colour comes after it
    decoded = decode(encoded(picture, transparency=colour, pnginfo=text))
    assert (decoded[:10] == 255).all()


def test_a_palette_becomes_rgb():
    data = encoded(Image.fromarray(RGB).quantize(16))
    assert np.array_equal(decode(data), as_pillow_reads(data, "RGB"))


def test_a_palette_with_transparency_lies_on_white():
    image = Image.fromarray(np.array([[0, 1], [1, 0]], np.uint8), "P")
    image.putpalette([10, 20, 30, 40, 50, 60])
    assert decode(encoded(image, transparency=1)).tolist() == [[[10, 20, 30], [255] * 3], [[255] * 3, [10, 20, 30]]]


def test_16_bits_keep_their_upper_8():
    values = GENERATOR.integers(0, 65536, (20, 31)).astype(np.uint16)
    assert np.array_equal(decode(encoded(values))[..., 0], values >> 8)


def test_16_bit_rgb_keeps_its_upper_8_bits():
    values = GENERATOR.integers(0, 65536, (3, 4, 3)).astype(">u2")
    rows = b"".join(b"\0" + row.tobytes() for row in values)
    assert np.array_equal(decode(png(4, 3, 16, 2, rows)), values >> 8)


def test_1_bit_is_black_and_white():
    bits = GREY > 127
    assert np.array_equal(decode(encoded(Image.fromarray(bits)))[..., 0], np.where(bits, 255, 0))


def test_4_bit_grey_reaches_white():
    assert decode(png(2, 1, 4, 0, b"\0\x0f")).tolist() == [[[0], [255]]]


def test_an_interlaced_png_is_read_exactly():
    assert np.array_equal(decode(interlaced_png(GREY))[..., 0], GREY)


# JPEG, BMP, WebP


@pytest.mark.parametrize(
    ("picture", "mode", "kind"),
    [
        (SMOOTH, "RGB", "JPEG"),
        (SMOOTH[..., 0], "L", "JPEG"),
        (RGB, "RGB", "BMP"),
        (GREY, "L", "BMP"),
        (SMOOTH, "RGB", "WEBP"),
    ],
)
def test_other_kinds_are_read_as_pillow_reads_them(picture, mode, kind):
    data = encoded(picture, kind)
    assert np.array_equal(decode(data), as_pillow_reads(data, mode))


def test_a_progressive_jpeg_is_read():
    data = encoded(SMOOTH, "JPEG", progressive=True)
    assert np.array_equal(decode(data), as_pillow_reads(data, "RGB"))


def test_cmyk_becomes_rgb():
    data = encoded(Image.fromarray(SMOOTH).convert("CMYK"), "JPEG")
    decoded = decode(data)
    assert np.array_equal(decoded, as_pillow_reads(data, "RGB"))
    assert np.abs(decoded.astype(int) - SMOOTH).mean() < 10


@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "PNG"])
@pytest.mark.parametrize("orientation", [3, 6, 8])
def test_an_exif_rotation_is_carried_out(kind, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(SMOOTH, kind, exif=exif)
    decoded = decode(data)
    assert decoded.shape[:2] == ((40, 60) if orientation == 3 else (60, 40))
    assert np.array_equal(decoded, as_pillow_reads(data, "RGB"))


def test_an_animation_gives_its_first_frame():
    frames = [Image.new("RGB", (16, 16), colour) for colour in ("black", "white")]
    data = encoded(frames[0], "WEBP", save_all=True, append_images=frames[1:], lossless=True)
    assert (decode(data) == 0).all()


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "BMP", "WEBP"])
def test_a_picture_of_one_pixel_is_read(kind):
    assert decode(encoded(np.full((1, 1, 3), 200, np.uint8), kind)).shape == (1, 1, 3)


# No pictures


@pytest.mark.parametrize("picture", [GREY, RGB], ids=["grey", "rgb"])
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "BMP", "WEBP"])
@pytest.mark.parametrize("share", [0.02, 0.5, 0.9])
def test_a_file_that_is_cut_off_is_refused(picture, kind, share):
    data = encoded(picture, kind)
    with pytest.raises(BrokenPicture):
        decode(data[: int(len(data) * share)])


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "the file is empty"),
        (b"\0", "no PNG, JPEG, BMP or WebP"),
        (b"This is a text file.\n" * 20, "no PNG, JPEG, BMP or WebP"),
        (b"\x89PNG\r\n\x1a\n", "no PNG, JPEG, BMP or WebP|damaged"),
        (encoded(GREY, "GIF"), "the file is GIF"),
        (encoded(GREY, "TIFF"), "the file is TIFF"),
    ],
    ids=["empty", "one byte", "text", "png signature", "gif", "tiff"],
)
def test_what_is_no_picture_is_refused_with_the_reason(data, reason):
    with pytest.raises(BrokenPicture, match=reason):
        decode(data)


def test_a_damaged_png_is_refused():
    data = bytearray(encoded(GREY))
    at = data.find(b"IDAT") + 20
    data[at : at + 30] = bytes(30)
    with pytest.raises(BrokenPicture, match="damaged"):
        decode(bytes(data))


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize(("depth", "colour"), [(8, 0), (8, 3), (1, 0)])
def test_a_picture_declared_huge_is_refused_before_it_is_unpacked(depth, colour):
    with pytest.raises(BrokenPicture, match="pixels|damaged"):
        decode(png(1, 1, depth, colour, b"\0\0", size=12_000))


def test_damage_anywhere_gives_a_picture_or_a_reason():
    """Whatever one byte is changed to, nothing else than BrokenPicture comes out."""
    for data in (encoded(GREY), encoded(RGB, "JPEG"), encoded(RGB, "BMP"), encoded(RGB[:4, :4], "WEBP")):
        generator = np.random.default_rng(1)
        for _ in range(40):
            damaged = bytearray(data)
            damaged[generator.integers(min(len(data), 120))] = generator.integers(256)
            try:
                decoded = decode(bytes(damaged))
            except BrokenPicture:
                continue
            assert decoded.dtype == np.uint8 and decoded.ndim == 3 and decoded.shape[2] in (1, 3)
