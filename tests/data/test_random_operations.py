"""RandAugment: each operation against Pillow's, the moves as part of the affine map, and the draws."""

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageEnhance, ImageFilter, ImageOps

from kerasexp.config.augmentation_section import Augmentation, RandAugment
from kerasexp.data.augmentation import draw_affine_maps, warp_affine
from kerasexp.data.epoch_sampling import Sampling
from kerasexp.data.pipeline import training_batches
from kerasexp.data.prepared_data import Split
from kerasexp.data.random_operations import MOVES, OPERATIONS, apply_operations, draw_operations, moved

GENERATOR = np.random.default_rng(0)
# The last image has few values, and one channel of a single one.
IMAGES = GENERATOR.integers(30, 200, (5, 20, 24, 3)).astype(np.uint8)
IMAGES[-1] = GENERATOR.integers(0, 2, (20, 24, 3)) * 90
IMAGES[-1, ..., 0] = 40
LUMA = np.array([0.299, 0.587, 0.114])


def changed(name: str, amount: float, images: np.ndarray = IMAGES) -> np.ndarray:
    amounts = tf.fill((len(images),), np.float32(amount))
    return OPERATIONS[name](tf.constant(images.astype(np.float32)), amounts).numpy()


def with_pillow(change) -> np.ndarray:
    return np.stack([np.asarray(change(Image.fromarray(image))) for image in IMAGES]).astype(np.float32)


PILLOW = {
    "identity": (0.3, lambda image: image, 0),
    "brightness": (0.3, lambda image: ImageEnhance.Brightness(image).enhance(1.27), 1),
    "color": (-0.5, lambda image: ImageEnhance.Color(image).enhance(0.55), 1.5),
    "sharpness": (0.6, lambda image: ImageEnhance.Sharpness(image).enhance(1.54), 1.5),
    "posterize": (0.5, lambda image: ImageOps.posterize(image, 6), 0),
    "solarize": (-0.4, lambda image: ImageOps.solarize(image, 153), 0),
    "auto_contrast": (1.0, ImageOps.autocontrast, 1),
    "equalize": (-1.0, ImageOps.equalize, 0),
}


@pytest.mark.parametrize("name", PILLOW)
def test_an_operation_is_pillow_s(name):
    amount, change, tolerance = PILLOW[name]
    assert np.abs(changed(name, amount) - with_pillow(change)).max() <= tolerance + 0.01


def test_smoothing_is_the_opposite_of_sharpening():
    smooth = with_pillow(lambda image: image.filter(ImageFilter.SMOOTH))
    found = changed("sharpness", -1.0)
    assert np.abs(found - (IMAGES + 0.9 * (smooth - IMAGES))).max() <= 1


def test_contrast_spreads_about_the_mean():
    found = changed("contrast", -0.5)
    assert found.std(axis=(1, 2, 3)) == pytest.approx(0.55 * IMAGES.std(axis=(1, 2, 3)), rel=0.01)


@pytest.mark.parametrize("name", OPERATIONS)
def test_grey_images_and_none_at_all_are_changed_too(name):
    assert changed(name, 0.5, IMAGES[..., :1]).shape == (5, 20, 24, 1)
    assert changed(name, 0.5, IMAGES[:0]).shape == (0, 20, 24, 3)


def test_at_an_amount_of_0_strengths_are_none():
    for name in set(OPERATIONS) - {"auto_contrast", "equalize"}:
        assert changed(name, 0.0) == pytest.approx(IMAGES, abs=0.01), name


def test_each_image_gets_its_own_operations_one_after_the_other():
    names = list(OPERATIONS)
    numbers = np.array([[0, 0], [1, 5], [5, 1], [7, 8], [len(names), 6]], np.float32)
    amounts = np.array([[1, 1], [0.5, 1], [1, 0.5], [1, 1], [1, -0.5]], np.float32)
    rows = tf.constant(np.hstack([numbers, amounts]))
    found = apply_operations(tf.constant(IMAGES.astype(np.float32)), rows).numpy()
    for k, (pair, strengths) in enumerate(zip(numbers, amounts, strict=True)):
        expected = IMAGES[k : k + 1].astype(np.float32)
        for number, amount in zip(pair, strengths, strict=True):
            if number < len(names):
                expected = changed(names[int(number)], amount, expected)
        assert found[k] == pytest.approx(expected[0], abs=1e-3), k


def moved_image(name: str, amount: float) -> np.ndarray:
    image = np.zeros((1, 31, 31, 1), np.float32)
    image[0, 10:21, 15] = 255  # upright, in the middle
    whole = np.array([[1, 0, 0, 0, 1, 0, 0, 0]], np.float32)
    rows = np.array([[len(OPERATIONS) + list(MOVES).index(name), amount]], np.float32)
    return warp_affine(tf.constant(image), tf.constant(moved(whole, rows, (31, 31))), "constant").numpy()[0, ..., 0]


def test_moves_are_about_the_middle_and_of_the_strength_of_the_operation():
    still, shift = moved_image("translate_x", 0.0), 150 / 331 * 31 / 3
    assert still[10:21, 15].min() == 255
    for sign in (-1, 1):
        right = np.average(np.arange(31), weights=moved_image("translate_x", sign / 3).sum(axis=0))
        down = np.average(np.arange(31), weights=moved_image("translate_y", sign / 3).sum(axis=1))
        assert right == pytest.approx(15 - sign * shift, abs=0.01) and down == pytest.approx(
            15 - sign * shift, abs=0.01
        )
    assert moved_image("shear_y", 1.0)[10:21, 15].min() > 200
    for name, tangent in (("shear_x", 0.3), ("rotate", np.tan(np.pi / 6))):
        found = moved_image(name, 1.0)
        columns = np.average(np.broadcast_to(np.arange(31), (31, 31)), axis=1, weights=found + 1e-9)
        assert abs(columns[18] - columns[12]) / 6 == pytest.approx(tangent, abs=0.06), name


def test_moves_follow_the_affine_map():
    affine = draw_affine_maps(Augmentation(rotation=40, zoom=0.3), 1, (31, 31), np.random.default_rng(1))
    rows = np.array([[len(OPERATIONS) + 4, len(OPERATIONS) + 2, 0.5, -0.5]], np.float32)
    image = tf.constant(np.random.default_rng(2).uniform(0, 255, (1, 31, 31, 1)).astype(np.float32))
    both = moved(affine, rows, (31, 31))
    still = moved(affine, np.array([[0, 5, 1, 1]], np.float32), (31, 31))
    assert still == pytest.approx(affine, abs=1e-5) and both[0, 6:].tolist() == [0, 0]
    alone = moved(np.array([[1, 0, 0, 0, 1, 0, 0, 0]], np.float32), rows, (31, 31))
    steps = warp_affine(warp_affine(image, tf.constant(affine), "nearest"), tf.constant(alone), "nearest").numpy()
    once = warp_affine(image, tf.constant(both), "nearest").numpy()
    assert np.corrcoef(steps[0, 10:20, 10:20, 0].ravel(), once[0, 10:20, 10:20, 0].ravel())[0, 1] > 0.7


def test_all_operations_are_drawn_alike_with_either_sign():
    drawn = draw_operations(RandAugment(operations=3, magnitude=12), 5000, np.random.default_rng(0))
    numbers, amounts = drawn[:, :3], drawn[:, 3:]
    counts = np.bincount(numbers.ravel().astype(int))
    assert len(counts) == 14 == len(OPERATIONS) + len(MOVES)
    assert counts == pytest.approx(15_000 / 14, rel=0.15)
    assert set(np.abs(amounts).ravel().tolist()) == {np.float32(0.4)} and abs(amounts.mean()) < 0.01


@pytest.mark.parametrize("channels", [1, 3])
def test_batches_follow_from_seed_epoch_and_index(channels):
    split = Split(IMAGES[..., :channels], np.arange(5), [str(k) for k in range(5)])

    def batches(start=(0, 0), batch_size=2) -> list[np.ndarray]:
        augmentation = Augmentation(rand_augment=RandAugment(magnitude=20), rotation=10)
        found = training_batches(split, Sampling(batch_size), 0, augmentation, 4, start)
        return [images.numpy() for images, _ in found]

    whole = batches()
    for first, second in zip(whole[4:], batches(start=(1, 1)), strict=True):
        np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(np.concatenate(batches(batch_size=5)), np.concatenate(whole))
