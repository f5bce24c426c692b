"""The rendered stand-in for handwritten scans: content of an image, and what it depends on."""

from concurrent.futures import ThreadPoolExecutor
from itertools import combinations

import cv2
import numpy as np
import pytest

from kerasexp.data.handwriting import CHARACTERS, render_character


def ink_box(image: np.ndarray) -> tuple[int, int, int, int]:
    """Top, bottom, left and right of what is darker than mid grey."""
    rows, columns = np.nonzero(image[:, :, 0] < 128)
    return rows.min(), rows.max(), columns.min(), columns.max()


def ink_shape(image: np.ndarray) -> np.ndarray:
    """The ink in its bounding square, 32 x 32 in 0..1, whatever its place and size."""
    top, bottom, left, right = ink_box(image)
    half, y, x = max(bottom - top, right - left) // 2 + 1, (top + bottom) // 2, (left + right) // 2
    ink = np.pad((image[:, :, 0] < 128).astype(np.float32), half)
    return cv2.resize(ink[y : y + 2 * half, x : x + 2 * half], (32, 32), interpolation=cv2.INTER_AREA)


@pytest.fixture(scope="module")
def images() -> dict[tuple[str, int], np.ndarray]:
    return {(character, writer): render_character(character, writer) for character in CHARACTERS for writer in (0, 1)}


def test_there_are_62_characters_in_the_order_of_the_classes():
    assert len(set(CHARACTERS)) == 62
    assert list(CHARACTERS) == sorted(CHARACTERS)


def test_an_image_is_a_grey_scan_in_three_equal_channels(images):
    for image in images.values():
        assert image.shape == (900, 1200, 3)
        assert image.dtype == np.uint8
        assert image.min() == 0 and image.max() == 255
        assert np.array_equal(image[..., 0], image[..., 1]) and np.array_equal(image[..., 0], image[..., 2])


def test_every_character_is_drawn_inside_the_page_with_a_plausible_amount_of_ink(images):
    for (character, writer), image in images.items():
        top, bottom, left, right = ink_box(image)
        assert min(top, left) >= 20 and bottom < 880 and right < 1180, (character, writer)
        assert 130 <= max(bottom - top, right - left) <= 860, (character, writer)
        assert 0.001 < np.mean(image < 128) < 0.1, (character, writer)


def test_the_same_arguments_give_the_same_image_also_from_threads(images):
    with ThreadPoolExecutor(4) as pool:
        again = pool.map(render_character, CHARACTERS, [0] * 62)
        assert all(np.array_equal(image, images[c, 0]) for c, image in zip(CHARACTERS, again, strict=True))


def test_writers_and_seeds_differ(images):
    assert all(not np.array_equal(images[c, 0], images[c, 1]) for c in CHARACTERS)
    assert not np.array_equal(images["A", 0], render_character("A", 0, seed=1))


def test_a_writer_keeps_to_one_baseline():
    for writer in range(6):
        bottoms = [ink_box(render_character(c, writer))[1] for c in "HEAxbn"]
        assert np.ptp(bottoms) < 130, writer


def test_characters_of_one_shape_differ_in_size():
    for writer in range(12):
        zero, capital, small = (ink_box(render_character(c, writer)) for c in "0Oo")
        assert small[1] - small[0] < 0.85 * (capital[1] - capital[0]), writer
        assert zero[3] - zero[2] < capital[3] - capital[2], writer


def test_no_writer_draws_one_and_capital_i_and_small_l_alike():
    for writer in range(12):
        shapes = [ink_shape(render_character(character, writer)) for character in "1Il"]
        for one, other in combinations(shapes, 2):
            assert np.abs(one - other).sum() > 0.15 * (one.sum() + other.sum()), writer


def test_another_page_size_scales_the_drawing():
    whole, half = render_character("R", 3), render_character("R", 3, height=450, width=600)
    assert half.shape == (450, 600, 3)
    assert np.allclose(np.array(ink_box(half)) * 2, ink_box(whole), atol=6)
    top, bottom, left, right = ink_box(render_character("R", 3, height=64, width=32))
    assert 0 < top < bottom < 63 and 0 < left < right < 31


@pytest.mark.parametrize("character", ["", "AB", "é", "-", 7])
def test_a_character_outside_the_62_is_an_error_that_names_them(character):
    with pytest.raises(ValueError, match=CHARACTERS):
        render_character(character, 0)


@pytest.mark.parametrize("numbers", [{"writer": -1}, {"writer": 0, "seed": -1}, {"writer": 0, "height": 8}])
def test_a_number_out_of_range_is_an_error(numbers):
    with pytest.raises(ValueError, match="must be"):
        render_character("A", **numbers)
