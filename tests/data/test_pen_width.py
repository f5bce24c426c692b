"""The width of the pen, measured and changed, on strokes whose width is known exactly."""

import numpy as np
import pytest

from kerasexp.data.pen_width import find_strokes


def stroke(pen: float, shape=(120, 160), degrees=20, dark=True) -> np.ndarray:
    """Draw a straight stroke with round ends, antialiased: uint8 [height, width, 1]."""
    y, x = (axis - (side - 1) / 2 for axis, side in zip(np.mgrid[: shape[0], : shape[1]], shape, strict=True))
    half, angle = half_length(shape), np.deg2rad(degrees)
    along = np.clip(x * np.cos(angle) + y * np.sin(angle), -half, half)
    distance = np.hypot(x - along * np.cos(angle), y - along * np.sin(angle))
    ink = 255 * np.clip(pen / 2 - distance + 0.5, 0, 1)
    return np.rint(255 - ink if dark else ink).astype(np.uint8)[..., np.newaxis]


def half_length(shape) -> float:
    return 0.3 * min(shape)


def width_by_area(image: np.ndarray, dark=True) -> float:
    """Return the width of a stroke with round ends that has the ink of this image."""
    area = (255.0 - image if dark else image.astype(float)).sum() / 255
    length = 2 * half_length(image.shape[:2])
    return (np.sqrt(length**2 + np.pi * area) - length) * 2 / np.pi


@pytest.mark.parametrize("degrees", [0, 20, 45, 80])
@pytest.mark.parametrize(
    ("pen", "shape"),
    [
        (3, (28, 28)),
        (4, (28, 28)),
        (3, (120, 160)),
        (4, (300, 400)),
        (9, (300, 400)),
        (20, (120, 160)),
        (64, (450, 600)),
    ],
)
def test_the_width_is_measured_within_a_tenth(pen, shape, degrees):
    image = stroke(pen, shape, degrees)
    assert width_by_area(image) == pytest.approx(pen, rel=0.05)  # the measure of this test is right
    assert find_strokes(image).pen_width == pytest.approx(pen, rel=0.1)


@pytest.mark.parametrize("dark", [True, False])
@pytest.mark.parametrize("factor", [0.5, 0.75, 1.25, 1.5])
@pytest.mark.parametrize(("pen", "shape"), [(4, (28, 28)), (5, (120, 160)), (38, (450, 600))])
def test_strokes_have_the_factor_of_the_width(pen, shape, factor, dark):
    image = stroke(pen, shape, dark=dark)
    drawn = find_strokes(image).drawn(factor)
    assert (drawn.shape, drawn.dtype) == (image.shape, np.uint8)
    assert width_by_area(drawn, dark) == pytest.approx(factor * pen, rel=0.15)
    assert (drawn[0, 0, 0] > 127) == dark


def test_ink_and_page_keep_their_grey_levels_and_colour_becomes_grey():
    grey = np.rint(60 + stroke(9) * (180 / 255)).astype(np.uint8)
    drawn = find_strokes(np.repeat(grey, 3, axis=2)).drawn(1.5)
    assert (drawn.shape, drawn.min(), drawn.max()) == (grey.shape, 60, 240)


@pytest.mark.parametrize("level", [0, 128, 255])
def test_a_blank_page_has_no_strokes(level):
    noise = np.random.default_rng(0).integers(-9, 10, (60, 80, 1))
    assert find_strokes(np.clip(level + noise, 0, 255).astype(np.uint8)) is None
