"""Every filter of a PNG file is undone exactly, whichever of the decoders does it."""

import io
import zlib

import numpy as np
import pytest
from image_samples import png
from PIL import Image

from kerasexp.data import png_filters
from kerasexp.data.image_decoding import decode_image

GENERATOR = np.random.default_rng(0)


def filtered_png(size, colour, filters):
    """Return a PNG file of random pixels whose rows have these filters."""
    width, height = size
    stored = GENERATOR.integers(0, 256, (height, 1 + width * {0: 1, 2: 3, 6: 4}[colour]), np.uint8)
    stored[:, 0] = filters
    return png(size, 8, colour, zlib.compress(stored.tobytes()))


@pytest.mark.parametrize("colour", [0, 2, 6], ids=["grey", "rgb", "rgb with alpha"])
@pytest.mark.parametrize(
    "size", [(1, 1), (7, 5), (640, 480), (70_000, 3), (3, 70_000), (1_000_000, 1), (1, 1_000_000)], ids=str
)
def test_opencv_and_tensorflow_decode_the_same(size, colour, monkeypatch):
    file = filtered_png(size, colour, GENERATOR.integers(0, 5, size[1]))
    by_opencv = decode_image(file)
    monkeypatch.setattr(png_filters, "PLAIN", ())
    assert np.array_equal(decode_image(file), by_opencv)


FIRST_ROWS = [[first, *rest] for first in range(5) for rest in ([2, 2, 2, 1, 1, 4, 4, 2, 3, 0, 0, 4], [4, 3] * 6)]


@pytest.mark.parametrize("colour", [0, 2, 6], ids=["grey", "rgb", "rgb with alpha"])
@pytest.mark.parametrize("filters", [*FIRST_ROWS, [4], [2], *GENERATOR.integers(0, 5, (20, 30)).tolist()], ids=str)
def test_numpy_undoes_every_filter(filters, colour, monkeypatch):
    file = filtered_png((17, len(filters)), colour, filters)
    by_opencv = decode_image(file)
    monkeypatch.setattr(png_filters, "SMALL", 0)
    monkeypatch.setattr(png_filters, "NARROW", 0)
    monkeypatch.setattr(png_filters, "OPENCV_SHARE", 1)
    assert np.array_equal(decode_image(file), by_opencv)
    monkeypatch.setattr(png_filters, "PLAIN", ())
    assert np.array_equal(decode_image(file), by_opencv)


@pytest.mark.parametrize(
    ("size", "every", "by_numpy"),
    [((340, 600), 30, True), ((340, 600), 4, False), ((300, 600), 30, False), ((100, 60), 30, False)],
    ids=["large", "many rows with Paeth", "narrow", "small"],
)
def test_opencv_decodes_where_numpy_would_take_longer(size, every, by_numpy, monkeypatch):
    filters = np.where(np.arange(size[1]) % every, 2, 4)
    file, used = filtered_png(size, 2, filters), []
    expected = np.asarray(Image.open(io.BytesIO(file)))
    numpy_decoder = png_filters._by_numpy
    monkeypatch.setattr(png_filters, "_by_numpy", lambda *arguments: used.append(1) or numpy_decoder(*arguments))
    assert np.array_equal(decode_image(file), expected)
    assert used == [1] * by_numpy
