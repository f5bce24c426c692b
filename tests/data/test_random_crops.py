"""Random resized crops: the parts of images that are drawn, and how an affine map shows them."""

import numpy as np
import pytest
import tensorflow as tf

from kerasexp.config.augmentation_section import Augmentation, Crop
from kerasexp.data.augmentation import draw_affine_maps, draw_augmentations, draw_crops, warp_affine, within_crops


@pytest.mark.parametrize(("area", "aspect"), [([0.35, 1], [0.75, 1.33]), ([0.1, 0.1], [1, 1]), ([0.9, 1], [0.5, 2])])
def test_crops_lie_in_the_image_and_have_the_area_and_the_aspect_asked_for(area, aspect):
    crops = draw_crops(Crop(area=area, aspect=aspect), 5000, np.random.default_rng(0))
    top, left, bottom, right = crops.T
    assert crops.shape == (5000, 4) and crops.min() >= 0 and crops.max() <= 1 + 1e-12
    shares, ratios = (bottom - top) * (right - left), (right - left) / (bottom - top)
    assert shares.min() >= area[0] - 1e-9 and shares.max() <= area[1] + 1e-9
    assert ratios.min() >= aspect[0] - 1e-9 and ratios.max() <= aspect[1] + 1e-9
    # The area is uniform, and every place is as likely as its mirror image.
    assert abs(shares.mean() - np.mean(area)) < 0.01
    assert abs((top - (1 - bottom)).mean()) < 0.02 and abs((left - (1 - right)).mean()) < 0.02


def test_an_aspect_that_leaves_no_room_for_the_area_is_cut_to_the_image():
    crops = draw_crops(Crop(area=[0.9, 1], aspect=[2, 3]), 100, np.random.default_rng(0))
    assert crops.min() >= 0 and crops.max() <= 1 and (crops[:, 3] - crops[:, 1] == 1).all()


def test_an_affine_map_shows_the_crop_from_its_first_to_its_last_pixel():
    whole = np.array([[1, 0, 0, 0, 1, 0, 0, 0]], np.float32)
    box = np.array([[0.2, 0.4, 0.8, 1.0]])
    rows = within_crops(whole, box, (11, 21))
    ramp = np.broadcast_to(np.arange(21, dtype=np.float32) * 10, (11, 21)) + 0.5 * np.arange(11)[:, None]
    images = ramp[None, ..., None].astype(np.float32)
    shown = warp_affine(tf.constant(images), tf.constant(rows.astype(np.float32)), "constant").numpy()[0, ..., 0]
    expected = np.linspace(80, 200, 21)[None] + 0.5 * np.linspace(2, 8, 11)[:, None]
    assert np.allclose(shown, expected, atol=1e-3)


def test_a_whole_crop_changes_nothing():
    rows = draw_affine_maps(Augmentation(rotation=20, zoom=0.2), 3, (6, 6), np.random.default_rng(0))
    assert np.allclose(within_crops(rows, np.array([[0, 0, 1, 1]] * 3), (6, 6)), rows)


def test_crops_are_drawn_last_so_that_other_changes_stay_as_they_were():
    plain = Augmentation(rotation=20, color=0.3, erase=0.5, stroke=0.4)
    cropped = plain.model_copy(update={"crop": Crop()})
    one, other = (draw_augmentations(how, 9, (6, 6), np.random.default_rng(3), True) for how in (plain, cropped))
    assert one.shape == (9, 16) and other.shape == (9, 20) and np.array_equal(one, other[:, :16])
    mapped = draw_augmentations(cropped, 9, (6, 6), np.random.default_rng(3))
    assert np.array_equal(mapped[:, 8:], other[:, 8:]) and not np.allclose(mapped[:, :8], other[:, :8])


@pytest.mark.parametrize(
    ("crop", "message"),
    [
        ({"area": [0.5, 0.2]}, "the first value must not be above the second"),
        ({"area": [0, 1]}, "greater than 0"),
        ({"area": [0.5, 1.5]}, "less than or equal to 1"),
        ({"aspect": [1]}, "at least 2 items"),
    ],
)
def test_wrong_crops_are_refused(crop, message):
    with pytest.raises(ValueError, match=message):
        Augmentation(crop=crop)
