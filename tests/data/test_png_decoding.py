"""Every kind of PNG is decoded exactly, and every damage is detected."""

import struct
import zlib

import numpy as np
import pytest
from image_samples import SIGNATURE, as_pillow_reads, chunk, encoded, header, interlaced_png, png, rotated, rows
from PIL import Image, PngImagePlugin

from kerasexp.data import png_decoding, png_filters, png_parts
from kerasexp.data.image_decoding import decode_image
from kerasexp.data.png_parts import stored_zlib
from kerasexp.data.source import BrokenImage

GENERATOR = np.random.default_rng(0)
GREY = GENERATOR.integers(0, 256, (20, 31), np.uint8)
RGB = GENERATOR.integers(0, 256, (20, 31, 3), np.uint8)
SMOOTH = np.stack([np.add.outer(np.arange(40) * 3, np.arange(60) * k) for k in (1, 2, 0)], axis=2).astype(np.uint8)
SIZE = (31, 20)
IEND = chunk(b"IEND", b"")


@pytest.mark.parametrize(("image", "mode"), [(GREY, "L"), (RGB, "RGB"), (SMOOTH, "RGB")], ids=["grey", "rgb", "smooth"])
@pytest.mark.parametrize("options", [{}, {"optimize": True}, {"dpi": (300, 300)}], ids=str)
@pytest.mark.parametrize("inflated_by", ["zlib-ng", "TensorFlow"])
def test_a_plain_png_is_read_exactly(image, mode, options, inflated_by, monkeypatch):
    if inflated_by == "TensorFlow":
        monkeypatch.setattr(png_decoding, "MAX_INFLATED", 0)
    decoded = decode_image(encoded(image, **options))
    assert decoded.dtype == np.uint8
    assert np.array_equal(decoded, image.reshape(*image.shape[:2], -1))
    assert np.array_equal(decoded, as_pillow_reads(encoded(image), mode))


@pytest.mark.parametrize("count", [1, 65535, 65536, 200_000])
def test_the_uncompressed_stream_is_zlib(count):
    content = bytes(range(256)) * (count // 256) + b"x" * (count % 256)
    assert zlib.decompress(b"".join(stored_zlib(content))) == content


@pytest.mark.parametrize("at", [3, 9])
def test_pixels_in_several_chunks_are_read(at):
    parts = header(SIZE, 8, 0), *(chunk(b"IDAT", part) for part in (rows(GREY)[:at], b"", rows(GREY)[at:])), IEND
    assert np.array_equal(decode_image(SIGNATURE + b"".join(parts))[..., 0], GREY)


def test_bytes_after_the_image_are_ignored():
    assert np.array_equal(decode_image(encoded(RGB) + b"a mail program's last words"), RGB)
    assert np.array_equal(decode_image(png(SIZE, 8, 0, rows(GREY) + b"padding"))[..., 0], GREY)
    assert np.array_equal(decode_image(png(SIZE, 8, 0, rows(np.vstack([GREY, GREY]))))[..., 0], GREY)


# Transparency


def test_transparency_is_blended_on_white():
    image = np.dstack([RGB, np.zeros((20, 31), np.uint8)])
    image[:10, :, 3] = 255
    decoded = decode_image(encoded(image))
    assert np.array_equal(decoded[:10], RGB[:10])
    assert (decoded[10:] == 255).all()


def test_half_transparent_ink_is_grey():
    image = np.zeros((4, 4, 4), np.uint8)
    image[..., 3] = 128
    assert (decode_image(encoded(image)) == 127).all()


def test_blending_is_exact_for_every_shade_and_transparency():
    shade, alpha = np.mgrid[0:256, 0:256]
    decoded = decode_image(encoded(Image.fromarray(np.dstack([shade, alpha]).astype(np.uint8), "LA")))
    assert np.abs(decoded[..., 0] - (shade * alpha + 255.0 * (255 - alpha)) / 255).max() <= 0.5


def test_transparent_grey_is_blended_on_white():
    image = np.dstack([GREY, np.where(np.arange(31) < 15, 0, 255) * np.ones((20, 1))]).astype(np.uint8)
    decoded = decode_image(encoded(Image.fromarray(image, "LA")))
    assert (decoded[:, :15] == 255).all()
    assert np.array_equal(decoded[:, 15:, 0], GREY[:, 15:])


@pytest.mark.parametrize("before", [0, 5000], ids=["early", "late"])
@pytest.mark.parametrize(("image", "colour"), [(GREY, 7), (RGB, (1, 2, 3))], ids=["grey", "rgb"])
def test_a_colour_named_transparent_is_white(image, colour, before):
    image = image.copy()
    image[:10] = colour
    text = PngImagePlugin.PngInfo()
    text.add_text("Comment", "x" * before)  # the chunk that names the colour comes after it
    expected = image.reshape(20, 31, -1).copy()
    expected[(expected == colour).all(axis=2)] = 255
    assert np.array_equal(decode_image(encoded(image, transparency=colour, pnginfo=text)), expected)


@pytest.mark.parametrize("colours", [1, 3], ids=["grey", "rgb"])
def test_a_transparent_16_bit_colour_is_compared_in_all_16_bits(colours):
    values = np.full((1, 3, colours), 0x1234, ">u2")
    values[0, 1] = 0x1235
    values[0, 2] = 0xFF00
    transparent = chunk(b"tRNS", values[0, 0].tobytes())
    assert decode_image(png((3, 1), 16, 0 if colours == 1 else 2, rows(values), transparent))[0, :, 0].tolist() == [
        255,
        18,
        255,
    ]


@pytest.mark.parametrize(("depth", "packed"), [(1, 0b01000000), (2, 0b00011011), (4, 0x01)])
def test_a_shade_of_few_bits_named_transparent_is_white(depth, packed):
    decoded = decode_image(png((2, 1), depth, 0, zlib.compress(bytes([0, packed])), chunk(b"tRNS", b"\0\1")))
    assert decoded[..., 0].tolist() == [[0, 255]]
    decoded = decode_image(png((2, 1), depth, 0, zlib.compress(bytes([0, packed])), chunk(b"tRNS", b"\0\0")))
    assert decoded[..., 0].tolist() == [[255, 255 // (2**depth - 1)]]


# Palettes and depths


@pytest.mark.parametrize("colours", [2, 3, 16, 200])
def test_a_palette_becomes_rgb(colours):
    data = encoded(Image.fromarray(RGB).quantize(colours))
    assert np.array_equal(decode_image(data), as_pillow_reads(data, "RGB"))


def test_a_palette_with_transparency_is_blended_on_white():
    image = Image.fromarray(np.array([[0, 1], [1, 0]], np.uint8), "P")
    image.putpalette([10, 20, 30, 40, 50, 60])
    assert decode_image(encoded(image, transparency=1)).tolist() == [
        [[10, 20, 30], [255] * 3],
        [[255] * 3, [10, 20, 30]],
    ]


@pytest.mark.parametrize("palette", [None, bytes(range(9)), bytes(13)], ids=["none", "short", "odd"])
def test_colours_missing_from_the_palette_are_damage(palette):
    indexes = np.array([[0, 1, 2, 3]], np.uint8)
    between = [] if palette is None else [chunk(b"PLTE", palette)]
    with pytest.raises(BrokenImage, match="palette"):
        decode_image(png((4, 1), 8, 3, rows(indexes), *between))


def test_16_bits_keep_their_upper_8():
    values = GENERATOR.integers(0, 65536, (20, 31)).astype(np.uint16)
    assert np.array_equal(decode_image(encoded(values))[..., 0], values >> 8)


@pytest.mark.parametrize(("colour", "samples"), [(2, 3), (4, 2), (6, 4)])
def test_16_bits_of_any_colour_keep_their_upper_8(colour, samples):
    values = GENERATOR.integers(0, 65536, (3, 4, samples)).astype(">u2")
    if samples in (2, 4):
        values[..., -1] = 65535
    assert np.array_equal(
        decode_image(png((4, 3), 16, colour, rows(values))), (values >> 8)[..., : samples - 1 + samples % 2]
    )


def test_1_bit_is_black_and_white():
    bits = GREY > 127
    assert np.array_equal(decode_image(encoded(Image.fromarray(bits)))[..., 0], np.where(bits, 255, 0))


def test_4_bit_grey_reaches_white():
    assert decode_image(png((2, 1), 4, 0, zlib.compress(b"\0\x0f"))).tolist() == [[[0], [255]]]


def test_an_interlaced_png_is_read_exactly():
    assert np.array_equal(decode_image(interlaced_png(GREY))[..., 0], GREY)


def test_an_animation_gives_its_first_image():
    frames = [Image.fromarray(RGB), Image.fromarray(255 - RGB)]
    assert np.array_equal(decode_image(encoded(frames[0], save_all=True, append_images=frames[1:])), RGB)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_an_exif_rotation_is_applied(orientation):
    data = encoded(SMOOTH, exif=rotated(orientation))
    assert np.array_equal(decode_image(data), as_pillow_reads(data, "RGB"))


# Damage


@pytest.mark.parametrize("image", [GREY, np.dstack([RGB, GREY])], ids=["plain", "transparent"])
def test_a_truncated_file_is_refused(image):
    data = encoded(image)
    for length in {*range(8, 100), *range(100, len(data), 41), *range(len(data) - 20, len(data))}:
        with pytest.raises(BrokenImage, match="cut off"):
            decode_image(data[:length])


def test_a_single_changed_byte_is_detected():
    data = encoded(np.dstack([RGB, GREY]))
    for at in {*range(4, 80), *range(80, len(data), 23), *range(len(data) - 12, len(data))}:
        damaged = bytearray(data)
        damaged[at] ^= 1
        with pytest.raises(BrokenImage, match="damaged|cut off"):
            decode_image(bytes(damaged))


def test_a_transfer_in_text_mode_is_reported():
    with pytest.raises(BrokenImage, match="line ends"):
        decode_image(encoded(RGB).replace(b"\r\n", b"\n"))


@pytest.mark.parametrize(
    ("depth", "colour"), [(8, 0), (8, 2), (8, 3), (8, 4), (8, 6), (16, 0), (16, 2), (16, 6), (1, 0)]
)
@pytest.mark.parametrize(
    "damage",
    [lambda content: content[: len(content) * 19 // 20], lambda content: b"", lambda content: b"\7" + content[1:]],
    ids=["a row is missing", "nothing there", "no such filter"],
)
def test_missing_pixels_are_refused_even_with_correct_checksums(depth, colour, damage):
    samples = png_parts.SAMPLES[colour]
    content = (b"\0" + bytes((31 * samples * depth + 7) // 8)) * 20
    palette = chunk(b"PLTE", bytes(768))
    assert decode_image(png(SIZE, depth, colour, zlib.compress(content), palette)).shape[:2] == (20, 31)
    with pytest.raises(BrokenImage, match="pixels"):
        decode_image(png(SIZE, depth, colour, zlib.compress(damage(content)), palette))


@pytest.mark.parametrize("end", [b"", b"\0\0\0\0"], ids=["missing", "wrong"])
def test_the_checksum_of_the_pixels_is_compared(end):
    with pytest.raises(BrokenImage, match="pixels"):
        decode_image(png(SIZE, 8, 0, rows(GREY)[:-4] + end))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (SIGNATURE, "cut off"),
        (SIGNATURE + IEND, "header is missing"),
        (SIGNATURE + header(SIZE, 8, 0) + IEND, "pixels"),
        (png((0, 20), 8, 0, rows(GREY)), "0x20 pixels"),
        (png((0, 0), 8, 2, b""), "0x0 pixels"),
        (png(SIZE, 3, 0, rows(GREY)), "pixels"),
        (png(SIZE, 0, 0, rows(GREY)), "pixels"),
        (png(SIZE, 8, 5, rows(GREY)), "invalid colour type 5"),
        (png(SIZE, 16, 3, rows(GREY)), "invalid colour type 3 with 16 bits"),
        (png(SIZE, 8, 0, rows(GREY), chunk(b"tRNS", b"\0")), "transparent colour"),
        (png(SIZE, 8, 0, rows(GREY), chunk(b"eXIf", b"no EXIF")), "EXIF"),
        (png(SIZE, 8, 0, b"no zlib stream, but long enough"), "pixels"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_violation_of_the_specification_is_refused(data, reason):
    with pytest.raises(BrokenImage, match=reason):
        decode_image(data)


@pytest.mark.parametrize("size", [(20_000, 20_000), (1, 2**31 - 1), (2**31 - 1,) * 2, (12_000, 9_000)], ids=str)
@pytest.mark.parametrize(("depth", "colour"), [(8, 0), (8, 2), (8, 3), (16, 6), (1, 0)])
def test_an_image_declared_huge_is_refused_by_its_header(size, depth, colour):
    with pytest.raises(BrokenImage, match=f"{size[0]}x{size[1]} pixels"):
        decode_image(png(size, depth, colour, rows(GREY)))


def test_an_image_too_large_for_its_bytes_allocates_no_memory(monkeypatch):
    monkeypatch.setattr("tensorflow.io.decode_png", None)
    with pytest.raises(BrokenImage, match="some are missing"):
        decode_image(png((10_000, 10_000), 16, 6, rows(GREY)))


def test_a_comment_that_unpacks_to_far_more_is_not_unpacked():
    comment = chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(10**8)))
    assert np.array_equal(decode_image(png(SIZE, 8, 2, rows(RGB), comment)), RGB)


def test_excess_pixels_are_not_kept(monkeypatch):
    decompressed = []
    monkeypatch.setattr(png_decoding, "stored_zlib", decompressed.append)
    monkeypatch.setattr(png_filters, "stored_zlib", decompressed.append)
    image = np.zeros((20, 31), np.uint8)
    assert np.array_equal(decode_image(png(SIZE, 8, 0, rows(np.zeros((200_000, 31), np.uint8))))[..., 0], image)
    assert decompressed == []


def test_a_second_header_is_ignored():
    smaller = header((5, 5), 8, 0)
    assert np.array_equal(decode_image(png(SIZE, 8, 0, rows(GREY), smaller))[..., 0], GREY)


def test_any_chunk_length_is_handled():
    data = SIGNATURE + struct.pack(">I", 2**32 - 1) + encoded(GREY)[12:]
    with pytest.raises(BrokenImage, match="cut off"):
        decode_image(data)
