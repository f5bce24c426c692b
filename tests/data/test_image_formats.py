"""Formats that Pillow reads: depth, pages, orientation, and what each name and each first byte stands for."""

import os
import struct
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from image_samples import encoded, rotated
from PIL import Image

from kerasexp.config.data_section import Data, Preprocessing
from kerasexp.data.image_decoding import decode_image
from kerasexp.data.image_formats import EXTENSIONS, FORMATS, format_of
from kerasexp.data.image_headers import START_BYTES, is_image_start
from kerasexp.data.pillow_decoding import _reads_heif, count_images, has_16_bits
from kerasexp.data.prepared_data import prepare
from kerasexp.data.source import MAX_PIXELS, BrokenImage
from kerasexp.data.sources import SOURCES
from kerasexp.errors import UserError

GENERATOR = np.random.default_rng(0)
GREY = GENERATOR.integers(0, 256, (20, 31)).astype(np.uint8)
RGB = cv2.resize(GENERATOR.integers(0, 256, (5, 6, 3)).astype(np.uint8), (32, 24), interpolation=cv2.INTER_CUBIC)
# Mean difference after lossy compression, most of it of the colours; another orientation or frame differs by 60 or more.
LOSS = 12
DEEP = GENERATOR.integers(0, 2**16, (20, 31)).astype(np.uint16)
KINDS = ("PNG", "JPEG", "BMP", "WEBP", "TIFF", "GIF", "AVIF", "JPEG2000")


def deep_tiff(colours: np.ndarray) -> bytes:
    return cv2.imencode(".tif", colours[..., ::-1])[1].tobytes()


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_is_recognized_by_its_first_bytes(kind):
    data = encoded(RGB, kind)
    assert format_of(data) == format_of(data[:START_BYTES]) == kind
    assert is_image_start(data[:START_BYTES])


def test_big_endian_and_big_tiff_files_are_tiff_files():
    assert {FORMATS[start] for start in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")} == {"TIFF"}
    assert np.array_equal(decode_image(encoded(GREY, "TIFF", big_tiff=True))[..., 0], GREY)


@pytest.mark.parametrize("kind", ["TIFF", "JPEG2000"])
def test_16_bit_grey_has_all_of_its_bits(kind):
    data, seen = encoded(DEEP, kind), []
    decode_image(data, None, lambda values: seen.append(values) or (values >> 8).astype(np.uint8))
    assert seen[0].dtype == np.uint16 and np.array_equal(seen[0][..., 0], DEEP)
    assert has_16_bits(data[:32], lambda: data) and not has_16_bits(data[:32], lambda: data[:40])
    assert not has_16_bits(encoded(GREY, kind)[:32], lambda: encoded(GREY, kind))


def test_16_bit_colours_of_a_tiff_file_have_all_of_their_bits():
    colours, seen = GENERATOR.integers(0, 2**16, (20, 31, 3)).astype(np.uint16), []
    data = deep_tiff(colours)
    decode_image(data, None, lambda values: seen.append(values) or (values >> 8).astype(np.uint8))
    assert np.array_equal(seen[0], colours) and has_16_bits(data[:32], lambda: data)


def tiff_of_four(samples: np.ndarray, extra: int, *more: tuple[int, int, int, int]) -> bytes:
    """Return a TIFF file of red, green, blue and a fourth sample, uint16 [h, w, 4]; `extra` says what the fourth is.

    `more` are entries of its table before all others: tag, type, count and value.
    """
    height, width, _ = samples.shape
    short, long, bits_at, pixels_at = 3, 4, 200, 256
    entries = [
        *more, (256, long, 1, width), (257, long, 1, height), (258, short, 4, bits_at), (259, short, 1, 1), (262, short, 1, 2),
        (273, long, 1, pixels_at), (277, short, 1, 4), (278, long, 1, height), (279, long, 1, 8 * height * width),
        (338, short, 1, extra),
    ]  # fmt: skip
    table = struct.pack("<H", len(entries)) + b"".join(struct.pack("<HHII", *entry) for entry in entries) + bytes(4)
    head = (b"II*\0" + struct.pack("<I", 8) + table).ljust(bits_at, b"\0") + struct.pack("<4H", 16, 16, 16, 16)
    return head.ljust(pixels_at, b"\0") + samples.astype("<u2").tobytes()


@pytest.mark.parametrize(
    ("extra", "expected"),
    [(0, lambda c, a: c), (1, lambda c, a: c + 255 * (1 - a)), (2, lambda c, a: c * a + 255 * (1 - a))],
    ids=["something else", "alpha of premultiplied colours", "alpha"],
)
def test_the_fourth_sample_of_16_bits_is_what_the_file_says(extra, expected):
    alpha = GENERATOR.uniform(0.3, 1, (20, 31, 1))
    colours = GENERATOR.uniform(0, 255, (20, 31, 3)) * (alpha if extra == 1 else 1)
    data = tiff_of_four(np.rint(np.dstack([colours * 257, alpha * 65535])), extra)
    found = decode_image(data, None, lambda values: (values >> 8).astype(np.uint8))
    assert np.abs(found - expected(colours, alpha)).max() <= 2.5


def test_a_size_that_is_given_twice_and_differs_is_refused():
    """Pillow, which checks it, leaves out a height of a type that it does not know; OpenCV takes the first one there is."""
    at, of_eight_bytes = 240, 17
    data = tiff_of_four(np.full((40, 31, 4), 2**15), 2, (257, of_eight_bytes, 1, at))
    same, other = (data[:at] + struct.pack("<q", height) + data[at + 8 :] for height in (40, 20))
    assert decode_image(same).shape == (40, 31, 3)
    with pytest.raises(BrokenImage, match="the TIFF file is damaged"):
        decode_image(other)


def test_opencv_reads_no_more_pixels_than_an_image_may_have():
    assert int(os.environ["OPENCV_IO_MAX_IMAGE_PIXELS"]) == MAX_PIXELS


def test_white_may_be_zero():
    assert np.array_equal(decode_image(encoded(255 - GREY, "TIFF", tiffinfo={262: 0}))[..., 0], 255 - GREY)
    seen = []
    decode_image(encoded(DEEP, "TIFF", tiffinfo={262: 0}), None, lambda values: seen.append(values) or GREY[..., None])
    assert np.array_equal(seen[0][..., 0], 65535 - DEEP)


@pytest.mark.parametrize("values", [GREY.astype(np.float32), GREY.astype(np.int32) * 1000], ids=["float", "integers"])
def test_32_bits_are_refused_with_advice(values):
    with pytest.raises(BrokenImage, match="has 32 bits per value; convert it to 16 or 8 bits"):
        decode_image(encoded(values, "TIFF"))


@pytest.mark.parametrize("kind", ["TIFF", "AVIF", "WEBP"])
def test_the_orientation_is_applied(kind):
    options = {"lossless": True} if kind == "WEBP" else {"quality": 95} if kind == "AVIF" else {}
    decoded = decode_image(encoded(np.rot90(RGB), kind, exif=rotated(6), **options))
    assert decoded.shape == RGB.shape and np.abs(decoded.astype(int) - RGB).mean() < LOSS


@pytest.mark.parametrize("kind", ["TIFF", "GIF", "WEBP", "AVIF"])
def test_the_first_of_several_images_is_read_and_they_are_counted(kind):
    first, *others = (Image.fromarray(image).quantize(8) for image in (RGB, 255 - RGB, RGB // 2))
    if kind != "GIF":
        first, *others = (image.convert("RGB") for image in (first, *others))
    options = {"lossless": True} if kind == "WEBP" else {"quality": 100} if kind == "AVIF" else {}
    data = encoded(first, kind, save_all=True, append_images=others, **options)
    assert count_images(data) == 3 and count_images(encoded(first, kind)) == 1
    assert np.abs(decode_image(data).astype(int) - np.asarray(first.convert("RGB"))).mean() < LOSS


@pytest.mark.parametrize("kind", ["TIFF", "GIF", "AVIF", "JPEG2000"])
def test_a_file_that_is_cut_off_is_refused_at_every_length(kind):
    image = Image.fromarray(RGB).quantize(8) if kind == "GIF" else RGB
    data = encoded(image, kind)
    # The last two bytes of a GIF file come after the pixels.
    end = len(data) - 2 if kind == "GIF" else len(data)
    for length in [*range(1, 60), *np.linspace(60, end - 1, 60).astype(int)]:
        with pytest.raises(BrokenImage):
            decode_image(data[:length])


def test_heic_needs_an_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    _reads_heif.cache_clear()
    with pytest.raises(BrokenImage, match=r"the file is HEIC, which needs pip install 'kerasexp\[heic\]'"):
        decode_image(b"\0\0\0\x18ftypheic" + bytes(100))
    _reads_heif.cache_clear()


def test_heic_is_read_where_the_extra_is_installed():
    pytest.importorskip("pillow_heif", reason="the extra heic is not installed")
    _reads_heif.cache_clear()
    assert _reads_heif()
    data = encoded(RGB, "HEIF", quality=95)
    decoded = decode_image(data)
    assert format_of(data) == "HEIF" and is_image_start(data[:START_BYTES])
    assert decoded.shape == RGB.shape and np.abs(decoded.astype(int) - RGB).mean() < LOSS
    with pytest.raises(BrokenImage, match="HEIC file is damaged or cut off"):
        decode_image(data[: len(data) * 3 // 4])


def folder(kind: str, end: str, images: list, **options) -> Path:
    for number, image in enumerate(images):
        file = Path("slices", "ab"[number % 2], f"{number}{end}")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(encoded(image, kind, **options))
    return Path("slices")


def data(path: Path, **keys) -> Data:
    return Data(source="image_folder", path=str(path), preprocessing=Preprocessing(size=[20, 31]), **keys)


def test_a_range_is_asked_for_and_kept_as_for_png():
    twelve = [DEEP // 16 for _ in range(20)]
    path = folder("TIFF", ".tif", twelve)
    with pytest.raises(UserError, match=r"data\.range: has 16 bits and only values from .*; write range: \[0, 4095\]"):
        prepare(data(path))
    found = prepare(data(path, range=[0, 4095]))
    assert found.value_range.bounds == (0, 4095) and not found.faults
    expected = np.rint((DEEP // 16).astype(float) * 255 / 4095)
    assert np.array_equal(found.splits["train"].images[0, ..., 0], expected)


def test_several_pages_are_announced():
    image = Image.fromarray(GREY)
    path = folder("TIFF", ".tiff", [image] * 20, save_all=True, append_images=[image] * 4)
    notes = prepare(data(path)).notes
    assert any(
        note.startswith("20 of 20 examined files have several pages or frames, such as a/0.tiff with 5")
        for note in notes
    )


def test_predict_says_that_it_takes_the_first_page(cli, finished_runs):
    image = Image.fromarray(GREY)
    Path("stack.tif").write_bytes(encoded(image, "TIFF", save_all=True, append_images=[image] * 4))
    answer = cli("predict", finished_runs / "runs" / "tiny" / "1", "stack.tif")
    assert answer.code == 0 and "stack.tif" in answer.out
    assert answer.err == (
        "1 of 1 examined files have several pages or frames, such as stack.tif with 5; the first of each is used\n"
    )


@pytest.mark.parametrize(
    ("kind", "end"), [("TIFF", ".TIF"), ("GIF", ".gif"), ("AVIF", ".avif"), ("JPEG2000", ".jp2"), ("TIFF", "")]
)
def test_new_run_and_predict_take_them(cli, finished_runs, kind, end):
    path = folder(kind, end, [Image.fromarray(GREY)] * 24)
    assert not end or end.lower() in EXTENSIONS
    assert len(SOURCES["image_folder"](data(path)).splits["train"]) == 24
    answer = cli("new", path, "--weights", "none")
    assert answer.code == 0 and "left out" not in answer.out, answer.err
    answer = cli("predict", finished_runs / "runs" / "tiny" / "1", path, "--format", "csv")
    assert answer.code == 0 and len(answer.out.splitlines()) == 25, answer.err
