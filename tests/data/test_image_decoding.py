"""JPEG, BMP and WebP are decoded correctly, and other files are refused with their format."""

import io
import struct

import numpy as np
import pytest
from image_samples import as_pillow_reads, bmp, encoded, jpeg_of_size, rotated, webp, without_segment
from PIL import Image

from kerasexp.data.image_decoding import _decode_plain_jpeg, decode_image
from kerasexp.data.image_formats import EXTENSIONS, is_image_name
from kerasexp.data.preprocessing import resize
from kerasexp.data.source import BrokenImage

GENERATOR = np.random.default_rng(0)
GREY = GENERATOR.integers(0, 256, (20, 31), np.uint8)
RGB = GENERATOR.integers(0, 256, (20, 31, 3), np.uint8)
SMOOTH = np.stack([np.add.outer(np.arange(40) * 3, np.arange(60) * k) for k in (1, 2, 0)], axis=2).astype(np.uint8)


# JPEG, BMP, WebP


@pytest.mark.parametrize(
    ("image", "mode", "kind"),
    [
        (SMOOTH, "RGB", "JPEG"),
        (SMOOTH[..., 0], "L", "JPEG"),
        (RGB, "RGB", "BMP"),
        (GREY, "L", "BMP"),
        (SMOOTH, "RGB", "WEBP"),
    ],
)
def test_other_formats_are_read_as_by_pillow(image, mode, kind):
    data = encoded(image, kind)
    assert np.array_equal(decode_image(data), as_pillow_reads(data, mode))


@pytest.mark.parametrize(
    ("min_side", "size"), [(None, (400, 600)), (401, (400, 600)), (201, (400, 600)), (200, (200, 300)), (28, (50, 75))]
)
def test_a_jpeg_is_decoded_no_larger_than_needed(min_side, size):
    page = np.stack([np.add.outer(np.arange(400) / 4, np.arange(600) * k / 8) for k in (1, 2, 0)], axis=2)
    data = encoded(page.astype(np.uint8), "JPEG")
    image = decode_image(data, min_side)
    assert image.shape == (*size, 3)
    small, whole = (resize(part, 25, 25) for part in (image, decode_image(data)))
    assert np.abs(small - whole).max() < 1


@pytest.mark.parametrize(
    "options", [{}, {"progressive": True}, {"subsampling": 0}, {"quality": 100}, {"optimize": True}]
)
@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize("min_side", [None, 30, 100])
def test_fast_decoding_equals_pillow(options, mode, min_side):
    pixels = np.random.default_rng(0).integers(0, 256, (251, 333, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(resize(pixels[::8, ::8], 251, 333).astype(np.uint8)).convert(mode).save(file, "JPEG", **options)
    with Image.open(file) as image:
        if min_side is not None:
            image.draft(None, (min_side, min_side))
        expected = np.asarray(image)
    assert _decode_plain_jpeg(file.getvalue(), min_side) is not None
    assert np.array_equal(decode_image(file.getvalue(), min_side).squeeze(), expected)


def test_a_downsampled_jpeg_is_rotated_and_checked_as_well():
    page = np.add.outer(np.arange(400) / 4, np.arange(600) / 8).astype(np.uint8)
    assert decode_image(encoded(page, "JPEG", exif=rotated(6)), 28).shape == (75, 50, 1)
    data = encoded(page, "JPEG")
    with pytest.raises(BrokenImage, match="damaged or cut off"):
        decode_image(data[: len(data) // 2], 28)


def test_a_progressive_jpeg_is_read():
    data = encoded(SMOOTH, "JPEG", progressive=True)
    assert np.array_equal(decode_image(data), as_pillow_reads(data, "RGB"))


def test_cmyk_becomes_rgb():
    data = encoded(Image.fromarray(SMOOTH).convert("CMYK"), "JPEG")
    decoded = decode_image(data)
    assert np.array_equal(decoded, as_pillow_reads(data, "RGB"))
    assert np.abs(decoded.astype(int) - SMOOTH).mean() < 10


def test_ycck_becomes_rgb():
    """Adobe's other way to store CMYK: all but black as luminance and chroma, marked by the last byte of its marker."""
    ink = 255 - np.asarray(Image.fromarray(255 - SMOOTH).convert("YCbCr"))
    data = bytearray(encoded(Image.fromarray(np.dstack([ink, np.zeros_like(ink[..., 0])]), "CMYK"), "JPEG", quality=95))
    data[data.find(b"Adobe") + 11] = 2
    assert np.abs(decode_image(bytes(data)).astype(int) - SMOOTH).mean() < 3


@pytest.mark.parametrize("kind", ["JPEG", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_an_exif_rotation_is_applied(kind, orientation):
    data = encoded(SMOOTH, kind, exif=rotated(orientation))
    decoded = decode_image(data)
    assert decoded.shape[:2] == ((40, 60) if orientation < 5 else (60, 40))
    assert np.array_equal(decoded, as_pillow_reads(data, "RGB"))


def test_an_invalid_orientation_is_ignored():
    assert decode_image(encoded(SMOOTH, "JPEG", exif=rotated(99))).shape == (40, 60, 3)


def test_an_animation_gives_its_first_frame():
    frames = [Image.new("RGB", (16, 16), colour) for colour in ("black", "white")]
    data = encoded(frames[0], "WEBP", save_all=True, append_images=frames[1:], lossless=True)
    assert (decode_image(data) == 0).all()


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "BMP", "WEBP"])
def test_an_image_of_one_pixel_is_read(kind):
    assert decode_image(encoded(np.full((1, 1, 3), 200, np.uint8), kind)).shape == (1, 1, 3)


def test_the_second_image_of_a_stereo_camera_is_ignored():
    frames = [Image.fromarray(SMOOTH), Image.fromarray(255 - SMOOTH)]
    data = encoded(frames[0], "MPO", save_all=True, append_images=frames[1:])
    assert np.array_equal(decode_image(data), as_pillow_reads(encoded(frames[0], "JPEG"), "RGB"))


def test_transparent_webp_is_blended_on_white():
    image = np.dstack([RGB, np.where(np.arange(31) < 15, 0, 255) * np.ones((20, 1), np.uint8)]).astype(np.uint8)
    decoded = decode_image(encoded(image, "WEBP", lossless=True))
    assert (decoded[:, :15] == 255).all() and np.array_equal(decoded[:, 15:], RGB[:, 15:])


def test_bmp_of_32_bits_has_no_transparency():
    """The fourth byte of each pixel means nothing, and most programs write 0."""
    pixels = np.dstack([RGB[..., ::-1], np.zeros((20, 31), np.uint8)])
    assert np.array_equal(decode_image(bmp((31, -20), pixels.tobytes(), 32)), RGB)


def test_bmp_of_few_colours_is_read():
    image = Image.fromarray(RGB).quantize(12)
    assert np.array_equal(decode_image(encoded(image, "BMP")), np.asarray(image.convert("RGB")))
    bits = Image.fromarray(GREY > 127)
    assert np.array_equal(decode_image(encoded(bits, "BMP"))[..., 0], np.where(GREY > 127, 255, 0))


def test_run_length_encoded_bmp_is_read_and_truncation_detected():
    palette = b"".join(bytes([shade, shade, shade, 0]) for shade in range(256))
    runs = b"".join(b"".join(bytes([1, shade]) for shade in row) + b"\0\0" for row in GREY[::-1]) + b"\0\1"
    assert np.array_equal(decode_image(bmp((31, 20), runs, 8, 1, palette))[..., 0], GREY)
    with pytest.raises(BrokenImage, match="BMP file is damaged or cut off"):
        decode_image(bmp((31, 20), runs[: len(runs) // 2], 8, 1, palette))


def test_bmp_with_colours_missing_from_its_palette_is_damaged():
    image = Image.fromarray(RGB).quantize(12)
    data = bytearray(encoded(image, "BMP"))
    data[-4] = 200
    with pytest.raises(BrokenImage, match="BMP file is damaged"):
        decode_image(bytes(data))


@pytest.mark.parametrize("kind", ["JPEG", "WEBP"])
def test_bytes_after_the_image_are_ignored(kind):
    data = encoded(SMOOTH, kind)
    assert np.array_equal(decode_image(data + b"a mail program's last words"), decode_image(data))


def test_the_format_follows_from_the_content_not_the_name():
    assert all(np.array_equal(decode_image(encoded(RGB, kind)), RGB) for kind in ("PNG", "BMP"))
    assert is_image_name("a/B.PNG") and is_image_name("a.jfif") and is_image_name("a.TIF")
    assert not is_image_name("a.txt") and not is_image_name("png") and not is_image_name("Thumbs.db")
    assert all(map(is_image_name, (f"x{extension}" for extension in EXTENSIONS)))


# No images


@pytest.mark.parametrize("image", [GREY, RGB], ids=["grey", "rgb"])
@pytest.mark.parametrize(
    ("kind", "options"),
    [("JPEG", {}), ("JPEG", {"progressive": True}), ("BMP", {}), ("WEBP", {}), ("WEBP", {"lossless": True})],
    ids=["jpeg", "progressive", "bmp", "webp", "lossless"],
)
def test_a_truncated_file_is_refused(image, kind, options):
    data = encoded(image[:, :28], kind, **options)  # without padding, which nobody needs
    for length in {*range(1, len(data), 37), *range(len(data) - 5, len(data) - 2)}:
        with pytest.raises(BrokenImage, match="cut off|no image of"):
            decode_image(data[:length])


@pytest.mark.parametrize("options", [{}, {"progressive": True}], ids=str)
def test_a_jpeg_without_its_end_marker_is_refused_or_complete(options):
    whole = [encoded(GREY[:, : 8 + width], "JPEG", **options) for width in range(20)]
    refused = 0
    for data in whole:
        try:
            assert np.array_equal(decode_image(data[:-2]), decode_image(data))
        except BrokenImage:
            refused += 1
    assert refused > len(whole) / 2


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_a_copy_that_was_interrupted_and_ends_in_zeros_is_refused(kind):
    data = encoded(SMOOTH, kind)
    with pytest.raises(BrokenImage, match="damaged"):
        decode_image(data[: len(data) // 2] + bytes(len(data) - len(data) // 2))


@pytest.mark.parametrize(
    "marker",
    [b"\xff\xdb", b"\xff\xc0", b"\xff\xda"],
    ids=["quantisation", "size and colours", "beginning of the pixels"],
)
def test_a_jpeg_without_a_required_segment_is_refused(marker):
    with pytest.raises(BrokenImage, match="JPEG file is damaged or cut off"):
        decode_image(without_segment(encoded(SMOOTH, "JPEG"), marker))


@pytest.mark.parametrize(
    "marker", [b"\xff\xc4", b"\xff\xd8", b"\xff\xda", b"\xff\xdb"], ids=["DHT", "SOI", "SOS", "DQT"]
)
def test_a_jpeg_with_a_marker_within_its_pixels_is_refused(marker):
    """The damage within the pixels that is detected; most is not, see `decode_image`."""
    data = encoded(np.kron(RGB, np.ones((4, 4, 1), np.uint8)), "JPEG")
    with pytest.raises(BrokenImage, match="JPEG file is damaged"):
        decode_image(data[: len(data) // 2] + marker + data[len(data) // 2 + 2 :])


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "the file is empty"),
        (b"\0", "zero bytes only"),
        (bytes(5000), "zero bytes only"),
        (b"This is a text file.\n" * 20, "no image of a supported format: PNG, JPEG"),
        (GENERATOR.bytes(5000), "no image of a supported format: PNG, JPEG"),
        (b"RIFF\0\0\0\0WAVEfmt ", "no image of a supported format: PNG, JPEG"),
        (b"\xff\xd8\xff", "JPEG file is damaged or cut off"),
        (b"BM", "BMP file is damaged or cut off"),
        (encoded(GREY, "PPM"), "the file is Netpbm; supported formats: PNG, JPEG, .*, HEIC; convert it, best to PNG"),
        (b"\0\0\0\x0cJXL \r\n\x87\n", "the file is JPEG XL"),
        (b"\0\0\0\x1cftypavif" + bytes(100), "AVIF file is damaged"),
        (b"\0\0\0\x18ftypheic" + bytes(100), "HEIC"),
        (b"\0\0\0\x18ftypisom" + bytes(100), "the file is a video"),
        (b"<!DOCTYPE HTML><title>404</title>", "the file is an HTML page"),
        (b"\r\n  <html><title>404</title>", "the file is an HTML page"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "the file is an SVG drawing"),
        (b"%PDF-1.7\n", "the file is PDF"),
        (b"PK\3\4" + bytes(40), "the file is a zip archive"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "the file is a Git LFS pointer"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_other_files_are_refused_with_the_reason(data, reason):
    with pytest.raises(BrokenImage, match=reason):
        decode_image(data)


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("size", [(60_000, 60_000), (12_000, 9_000), (0, 60), (60, 0)], ids=str)
def test_an_image_declared_huge_or_empty_is_refused_before_it_is_unpacked(size):
    empty = 0 in size
    for data in (jpeg_of_size(encoded(SMOOTH, "JPEG"), *size), bmp(size, SMOOTH.tobytes())):
        with pytest.raises(BrokenImage, match="damaged" if empty else "pixels"):
            decode_image(data)


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_a_webp_declared_huge_is_refused_before_it_is_unpacked():
    for side in (12_000, 16_383):
        bits = struct.pack("<I", (side - 1) | (side - 1) << 14)
        with pytest.raises(BrokenImage, match="pixels"):
            decode_image(webp((b"VP8L", b"\x2f" + bits + bytes(20))))


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_a_jpeg_with_too_few_bytes_for_its_size_is_refused():
    """libjpeg would fill the rest with grey, and so read a hundred megapixels from a kilobyte."""
    with pytest.raises(BrokenImage, match="damaged or cut off"):
        decode_image(jpeg_of_size(encoded(SMOOTH, "JPEG"), 9_999, 9_999))
    blank = Image.new("L", (3000, 2000), "white")
    for options in ({}, {"optimize": True}, {"progressive": True}):
        assert decode_image(encoded(blank, "JPEG", quality=1, **options)).shape == (2000, 3000, 1)


def test_damage_anywhere_gives_an_image_or_a_reason():
    """Whatever one byte is changed to, nothing else than BrokenImage comes out."""
    palette = encoded(Image.fromarray(RGB).quantize(9), "BMP")
    deep = GREY.astype(np.uint16) * 200
    small = [encoded(RGB[:4, :4], kind) for kind in ("WEBP", "TIFF", "GIF", "JPEG2000", "AVIF")]
    for data in (encoded(GREY), encoded(RGB, "JPEG"), palette, encoded(RGB, "BMP"), encoded(deep, "TIFF"), *small):
        generator = np.random.default_rng(1)
        for _ in range(40):
            damaged = bytearray(data)
            damaged[generator.integers(min(len(data), 120))] = generator.integers(256)
            try:
                decoded = decode_image(bytes(damaged))
            except BrokenImage:
                continue
            assert decoded.dtype == np.uint8 and decoded.ndim == 3 and decoded.shape[2] in (1, 3)
