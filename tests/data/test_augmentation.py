"""Augmentation: the effect of each change, and no change without a range."""

import numpy as np
import pytest
import tensorflow as tf

from kerasexp.config.augmentation_section import Augmentation
from kerasexp.data.augmentation import (
    augment,
    change_strokes,
    draw_affine_maps,
    draw_augmentations,
    erase_boxes,
    warp_affine,
)
from kerasexp.data.image_filters import change_colour

SQUARE = np.random.default_rng(0).integers(0, 256, (1, 6, 6, 1)).astype(np.float32)


class Extreme:
    """A source of randomness that always draws the same, here the end of every range."""

    def __init__(self, value: float):
        self.value = value

    def uniform(self, low, high, shape):
        return np.full(shape, self.value)


def warped(how: Augmentation, images: np.ndarray = SQUARE, draw: float = 1.0) -> np.ndarray:
    rows = draw_affine_maps(how, len(images), images.shape[1:3], Extreme(draw))
    return warp_affine(tf.constant(images), tf.constant(rows), how.fill).numpy()


def only(column: int, value: float, how: Augmentation) -> np.ndarray:
    """The affine row when one of the six numbers is drawn as `value`, and the others as 0."""

    class One:
        def uniform(self, low, high, shape):
            draw = np.zeros(shape)
            draw[:, column] = value
            return draw

    return draw_affine_maps(how, 1, SQUARE.shape[1:3], One())


def at(row: np.ndarray, fill: str = "constant") -> np.ndarray:
    return warp_affine(tf.constant(SQUARE), tf.constant(row), fill).numpy()[0, ..., 0]


@pytest.mark.parametrize("fill", ["constant", "nearest", "reflect", "wrap"])
def test_without_ranges_nothing_changes(fill):
    images = np.random.default_rng(1).integers(0, 256, (5, 7, 9, 3)).astype(np.float32)
    rows = draw_affine_maps(Augmentation(), 5, (7, 9), np.random.default_rng(2))
    assert np.array_equal(warp_affine(tf.constant(images), tf.constant(rows), fill), images)


@pytest.mark.parametrize(("draw", "turns"), [(1.0, -1), (-1.0, 1)], ids=["clockwise", "counter-clockwise"])
def test_a_rotation_by_90_degrees_turns_the_square(draw, turns):
    """A positive angle turns clockwise as the image is seen."""
    turned = warped(Augmentation(rotation=90), draw=draw)[0, ..., 0]
    assert turned == pytest.approx(np.rot90(SQUARE[0, ..., 0], turns), abs=0.01)


def test_a_rotation_by_180_degrees_turns_it_upside_down():
    assert warped(Augmentation(rotation=180))[0, ..., 0] == pytest.approx(SQUARE[0, ::-1, ::-1, 0], abs=0.01)


def test_a_shift_moves_by_pixels_right_and_down():
    moved = at(only(4, 1, Augmentation(shift=1 / 3)))
    assert moved[:, 2:] == pytest.approx(SQUARE[0, :, :-2, 0], abs=0.01)
    assert moved[:, :1] == pytest.approx(0)
    moved = at(only(5, 1, Augmentation(shift=1 / 3)))
    assert moved[2:] == pytest.approx(SQUARE[0, :-2, :, 0], abs=0.01)
    moved = at(only(5, -1, Augmentation(shift=1 / 3)))
    assert moved[:-2] == pytest.approx(SQUARE[0, 2:, :, 0], abs=0.01)


def test_a_shift_is_a_fraction_of_each_side():
    how = Augmentation(shift=0.5)
    row = draw_affine_maps(how, 1, (10, 20), Extreme(1.0))[0]
    assert (row[2], row[5]) == pytest.approx((-10, -5))


@pytest.mark.parametrize(
    ("fill", "beyond"), [("constant", [0, 0]), ("nearest", [0, 0]), ("reflect", [1, 0]), ("wrap", [4, 5])]
)
def test_fill_beyond_the_border(fill, beyond):
    moved = at(only(4, 1, Augmentation(shift=1 / 3)), fill)[:, :2]
    wanted = np.zeros((6, 2)) if fill == "constant" else SQUARE[0, ..., 0][:, beyond]
    assert moved == pytest.approx(wanted, abs=0.01)


def test_zoom_changes_each_sides_length():
    """A square of 8 in an image of 20, drawn half as long again: 12."""
    images = np.zeros((1, 20, 20, 1), np.float32)
    images[:, 6:14, 6:14] = 255
    for draw, side in ((1.0, 12), (-1.0, 4)):
        rows, columns = np.nonzero(warped(Augmentation(zoom=0.5), images, draw)[0, ..., 0] > 127)
        assert (np.ptp(rows) + 1, np.ptp(columns) + 1) == (side, side)


def test_shear_slants_an_upright_line_and_keeps_the_rows():
    images = np.zeros((1, 21, 21, 1), np.float32)
    images[:, :, 10] = 255
    slanted = warped(Augmentation(shear=45), images)[0, ..., 0]
    columns = slanted[5:16].argmax(axis=1)
    assert np.abs(np.diff(columns)).tolist() == [1] * 10
    assert columns[5] == 10


def test_all_maps_keep_the_centre():
    images = np.zeros((1, 9, 9, 1), np.float32)
    images[:, 4, 4] = 255
    how = Augmentation(rotation=180, zoom=0.4, shear=20)
    for draw in (1.0, -0.7, 0.3):
        assert warped(how, images, draw)[0, ..., 0].argmax() == 40


def test_the_same_numbers_are_drawn_whatever_the_ranges_are():
    states = []
    for how in (Augmentation(), Augmentation(rotation=20, shift=0.1, zoom=0.1, shear=5)):
        generator = np.random.default_rng(0)
        draw_affine_maps(how, 7, (28, 28), generator)
        states.append(generator.random())
    assert states[0] == states[1]


def test_parameters_stay_in_their_ranges():
    rows = draw_affine_maps(Augmentation(rotation=10), 2000, (28, 28), np.random.default_rng(0))
    angles = np.rad2deg(np.arctan2(rows[:, 1], rows[:, 0]))
    assert 9.9 < np.abs(angles).max() <= 10.001 and abs(angles.mean()) < 0.5


def test_a_flip_mirrors_left_and_right_after_the_other_changes():
    assert np.array_equal(warped(Augmentation(flip=True)), SQUARE[:, :, ::-1])
    assert np.array_equal(warped(Augmentation(flip=True), draw=-1.0), SQUARE)
    how = {"rotation": 15, "shift": 0.1, "zoom": 0.2, "shear": 5, "fill": "nearest"}
    mirrored = warped(Augmentation(**how))[:, :, ::-1]
    assert warped(Augmentation(flip=True, **how)) == pytest.approx(mirrored, abs=0.01)


def test_half_of_the_images_are_flipped_without_effect_on_other_draws():
    plain, flipped = (
        draw_affine_maps(Augmentation(rotation=10, flip=flip), 2000, (28, 28), np.random.default_rng(0))
        for flip in (False, True)
    )
    same = np.isclose(plain[:, 0], flipped[:, 0])
    assert 0.46 < same.mean() < 0.54
    assert np.array_equal(plain[same], flipped[same])


def test_flips_mirror_left_and_right_upside_down_or_both():
    assert np.array_equal(warped(Augmentation(flip="horizontal")), SQUARE[:, :, ::-1])
    assert np.array_equal(warped(Augmentation(flip="vertical")), SQUARE[:, ::-1])
    assert np.array_equal(warped(Augmentation(flip="both")), SQUARE[:, ::-1, ::-1])
    # Images that are not square, with other changes first.
    images = np.random.default_rng(1).integers(0, 256, (3, 6, 9, 1)).astype(np.float32)
    how = {"rotation": 15, "shift": 0.1, "zoom": 0.2, "shear": 5, "fill": "nearest"}
    plain = warped(Augmentation(**how), images)
    assert warped(Augmentation(flip="vertical", **how), images) == pytest.approx(plain[:, ::-1], abs=0.01)
    assert warped(Augmentation(flip="both", **how), images) == pytest.approx(plain[:, ::-1, ::-1], abs=0.01)


def test_both_flips_are_drawn_independently_and_true_draws_what_it_did():
    def row(flip):
        return draw_affine_maps(Augmentation(flip=flip), 4000, (28, 28), np.random.default_rng(0))

    assert np.array_equal(row(True), row("horizontal")) and Augmentation(flip="horizontal").flip is True
    across, down = row("both")[:, 0] < 0, row("both")[:, 4] < 0
    counts = np.array([[np.mean((across == x) & (down == y)) for x in (0, 1)] for y in (0, 1)])
    assert counts == pytest.approx(np.full((2, 2), 0.25), abs=0.03)
    assert np.array_equal(across, row(True)[:, 0] < 0)
    # As before there was a choice.
    assert row(True)[:12, 0].tolist() == [1, 1, 1, -1, 1, -1, -1, 1, 1, -1, 1, -1]


def test_a_flip_that_does_not_exist_is_refused_with_the_closest(cli):
    answer = cli("show", "part1_digits", "--set", "data.augmentation.flip=vertica")
    assert answer.code == 2 and "data.augmentation.flip" in answer.err and "vertical" in answer.err


COLOURED = np.random.default_rng(3).integers(40, 160, (4, 10, 12, 3)).astype(np.float32)


def recoloured_by(*factors: float, images: np.ndarray = COLOURED) -> np.ndarray:
    return change_colour(tf.constant(images), tf.constant([factors] * len(images), tf.float32)).numpy()


def grey_of(images: np.ndarray) -> np.ndarray:
    return images @ np.array([0.299, 0.587, 0.114])


def test_factors_of_1_change_no_colour():
    assert recoloured_by(1, 1, 1) == pytest.approx(COLOURED, abs=1e-3)


def test_brightness_multiplies_and_stays_within_a_byte():
    assert recoloured_by(1.5, 1, 1) == pytest.approx(COLOURED * 1.5, abs=1e-3)
    assert recoloured_by(1.9, 1, 1).max() == 255


def test_contrast_spreads_about_the_images_own_mean():
    found = recoloured_by(1, 0.5, 1)
    assert found.mean(axis=(1, 2, 3)) == pytest.approx(COLOURED.mean(axis=(1, 2, 3)), abs=1e-3)
    assert found.std(axis=(1, 2, 3)) == pytest.approx(COLOURED.std(axis=(1, 2, 3)) / 2, abs=1e-3)


def test_saturation_moves_to_grey_and_keeps_how_bright_it_is():
    found = recoloured_by(1, 1, 0)
    assert np.ptp(found, axis=-1).max() == pytest.approx(0, abs=1e-3)
    assert grey_of(recoloured_by(1, 1, 0.6)) == pytest.approx(grey_of(COLOURED), abs=1e-3)


def test_a_grey_image_has_no_saturation():
    grey = COLOURED[..., :1]
    assert recoloured_by(1, 1, 0.2, images=grey) == pytest.approx(grey, abs=1e-3)


def test_the_erased_box_gets_the_mean_of_the_image():
    found = erase_boxes(tf.constant(COLOURED[:1]), tf.constant([[0.2, 0.5, 0.6, 1.2]])).numpy()[0]
    inside = np.zeros((10, 12), bool)
    inside[2:6, 6:] = True
    assert np.array_equal(found[~inside], COLOURED[0][~inside])
    assert found[inside] == pytest.approx(np.broadcast_to(COLOURED[0].mean(axis=(0, 1)), (24, 3)), abs=1e-3)


def test_share_and_size_of_erased_rectangles():
    boxes = draw_augmentations(Augmentation(erase=0.25), 4000, (10, 12), np.random.default_rng(0))[:, 11:15]
    sides = boxes[:, 2:] - boxes[:, :2]
    some = sides.any(axis=1)
    assert 0.23 < some.mean() < 0.27
    assert sides[some].min() + 1e-6 >= 0.2 and sides[some].max() - 1e-6 <= 0.5
    middles = (boxes[some, 2:] + boxes[some, :2]) / 2
    assert middles.min() < 0.02 and middles.max() > 0.98


def test_cut_out_is_a_square_of_one_size():
    how = Augmentation(erase=1, erase_sides=[0.5, 0.5])
    boxes = draw_augmentations(how, 500, (10, 12), np.random.default_rng(0))[:, 11:15]
    assert boxes[:, 2:] - boxes[:, :2] == pytest.approx(0.5)
    black = erase_boxes(tf.constant(COLOURED[:1]), tf.constant([[0.2, 0.5, 0.6, 1.2]]), to_black=True).numpy()[0]
    assert not black[2:6, 6:].any() and np.array_equal(black[:, :6], COLOURED[0, :, :6])


def test_colour_factors_stay_in_their_range():
    factors = draw_augmentations(Augmentation(color=0.3), 2000, (10, 12), np.random.default_rng(0))[:, 8:11]
    assert 0.7 <= factors.min() < 0.705 and 1.295 < factors.max() <= 1.3
    assert len(np.unique(factors)) > 5000, "each of its own"


def test_strokes_become_thicker_and_thinner_by_a_pixel_on_each_side_at_most():
    bar = np.zeros((3, 9, 11, 1), np.float32)
    bar[:, 2:7, 3:8] = 200
    found = change_strokes(tf.constant(bar), tf.constant([1.0, -1.0, 0.5])).numpy()[..., 0]
    thicker, thinner = np.zeros((2, 9, 11))
    thicker[1:8, 2:9], thinner[3:6, 4:7] = 200, 200
    assert np.array_equal(found[0], thicker)
    assert np.array_equal(found[1], thinner)
    assert np.array_equal(found[2], (bar[2, ..., 0] + thicker) / 2)


def test_the_thickest_strokes_are_those_of_a_maximum_of_nine_pixels():
    images = tf.random.stateless_uniform((3, 5, 7, 2), (0, 1), 0, 255)
    found = change_strokes(images, tf.constant([1.0, 1.0, -1.0]))
    expected = tf.nn.max_pool2d(images, 3, 1, "SAME"), -tf.nn.max_pool2d(-images, 3, 1, "SAME")
    np.testing.assert_allclose(found[:2], expected[0][:2], rtol=1e-5)
    np.testing.assert_allclose(found[2], expected[1][2], rtol=1e-5)


def test_amounts_of_stroke_stay_in_their_range():
    amounts = draw_augmentations(Augmentation(stroke=0.6), 2000, (10, 12), np.random.default_rng(0))[:, 15]
    assert -0.6 <= amounts.min() < -0.59 and 0.59 < amounts.max() <= 0.6


def test_disabled_changes_are_neither_drawn_nor_applied():
    """Runs without them keep the same random numbers as before they existed."""
    plain, both = (
        draw_augmentations(Augmentation(rotation=10, flip=True, **more), 50, (10, 12), np.random.default_rng(0))
        for more in ({}, {"color": 0.4, "erase": 0.5, "stroke": 0.6})
    )
    assert np.array_equal(plain[:, :8], both[:, :8])
    assert (plain[:, 8:11] == 1).all() and not plain[:, 11:].any()
    images = tf.constant(COLOURED.astype(np.uint8))
    unmoved = tf.constant(draw_augmentations(Augmentation(), 4, (10, 12), np.random.default_rng(0)))
    assert np.array_equal(augment(images, unmoved, Augmentation()), images)


def test_all_changes_together_give_valid_images():
    how = Augmentation(rotation=10, flip=True, color=0.9, erase=1, stroke=1)
    rows = tf.constant(draw_augmentations(how, 4, (10, 12), np.random.default_rng(0)))
    changed = augment(tf.constant(COLOURED.astype(np.uint8)), rows, how)
    assert changed.dtype == tf.uint8 and changed.shape == COLOURED.shape
    assert not np.array_equal(changed, COLOURED.astype(np.uint8))
