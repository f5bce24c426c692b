"""Hue and blur: against definitions in other libraries, and what they leave as it is."""

import colorsys

import numpy as np
import pytest
import tensorflow as tf
from scipy.ndimage import gaussian_filter

from kerasexp.config.augmentation_section import Augmentation
from kerasexp.data.augmentation import BLUR, HUE
from kerasexp.data.epoch_draws import EpochDraws
from kerasexp.data.epoch_sampling import Sampling
from kerasexp.data.image_filters import blur_gaussian, turn_hue
from kerasexp.data.pipeline import training_batches
from kerasexp.data.prepared_data import Split

IMAGES = np.random.default_rng(0).integers(80, 150, (5, 12, 14, 3)).astype(np.float32)


def turned(turns: list[float], images: np.ndarray = IMAGES) -> np.ndarray:
    return turn_hue(tf.constant(images), tf.constant(turns, tf.float32)).numpy()


def test_a_whole_turn_and_none_change_nothing_and_half_turns_add_up():
    assert turned([0, 1, -1, 2, 0]) == pytest.approx(IMAGES, abs=0.01)
    half = turned([0.5] * 5)
    assert np.abs(half - IMAGES).mean() > 5
    assert turned([0.5] * 5, half) == pytest.approx(IMAGES, abs=0.01)


def test_the_brightness_and_the_greys_stay():
    luma = np.array([0.299, 0.587, 0.114])
    assert turned([0.1, 0.2, -0.3, 0.4, 0.5]) @ luma == pytest.approx(IMAGES @ luma, abs=0.1)
    grey = np.repeat(IMAGES[..., :1], 3, axis=-1)
    assert turned([0.1, 0.2, -0.3, 0.4, 0.5], grey) == pytest.approx(grey, abs=0.1)


def test_a_third_of_a_turn_makes_red_green_or_blue():
    red = np.zeros((1, 1, 1, 3), np.float32)
    red[..., 0] = 200
    hues = [colorsys.rgb_to_hsv(*(turned([turn], red)[0, 0, 0] / 255))[0] for turn in (1 / 3, -1 / 3)]
    assert sorted(hues) == pytest.approx([1 / 3, 2 / 3], abs=0.07)


def test_a_blur_is_scipy_s_away_from_the_border_and_keeps_flat_images():
    images = np.random.default_rng(1).integers(0, 256, (3, 40, 44, 2)).astype(np.float32)
    sigmas = [0.7, 1.5, 2.0]
    found = blur_gaussian(tf.constant(images), tf.constant(sigmas)).numpy()
    for image, blurred, sigma in zip(images, found, sigmas, strict=True):
        expected = gaussian_filter(image, (sigma, sigma, 0), truncate=6)
        assert blurred[12:-12, 12:-12] == pytest.approx(expected[12:-12, 12:-12], abs=0.01)
    flat = np.full((3, 9, 9, 1), 77, np.float32)
    assert blur_gaussian(tf.constant(flat), tf.constant(sigmas)).numpy() == pytest.approx(flat, abs=1e-3)


def test_a_blur_of_0_changes_nothing():
    assert np.array_equal(blur_gaussian(tf.constant(IMAGES), tf.zeros(5)).numpy(), IMAGES)


SPLIT = Split(IMAGES.astype(np.uint8), np.arange(5), [str(k) for k in range(5)])


def batches(start=(0, 0), batch_size=2, **keys) -> list[np.ndarray]:
    found = training_batches(SPLIT, Sampling(batch_size), 0, Augmentation(**keys), 3, start)
    return [images.numpy() for images, _ in found]


@pytest.mark.parametrize("keys", [{"hue": 0.3}, {"blur": 2.0}, {"hue": 0.1, "blur": 1.0, "color": 0.2, "erase": 0.5}])
def test_they_follow_from_seed_epoch_and_index(keys):
    whole = batches(**keys)
    for first, second in zip(whole[4:], batches(start=(1, 1), **keys), strict=True):
        np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(np.concatenate(batches(batch_size=5, **keys)), np.concatenate(whole))


def test_amounts_have_their_ranges():
    many = Split(np.zeros((4000, 4, 4, 3), np.uint8), np.zeros(4000, np.int64), [""] * 4000)
    draws = EpochDraws(many, Sampling(10), 0, Augmentation(hue=0.2, blur=3.0))
    named = draws.named(tf.constant(draws.of(0)[1]))
    hue, blur = named[HUE].numpy(), named[BLUR].numpy()
    assert -0.2 <= hue.min() < -0.199 and 0.199 < hue.max() <= 0.2
    assert 0 <= blur.min() < 0.01 and 2.99 < blur.max() <= 3
    assert abs(np.corrcoef(hue[:, 0], blur[:, 0])[0, 1]) < 0.05
