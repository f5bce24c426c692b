"""Mixup and cutmix: what is drawn, the arithmetic, and the batches with mixed labels."""

import numpy as np
import pytest
import tensorflow as tf

from kerasexp.config.augmentation_section import Augmentation
from kerasexp.data.epoch_sampling import Sampling
from kerasexp.data.image_mixing import draw_mixes, draw_partners, mix_images, mix_labels
from kerasexp.data.pipeline import training_batches
from kerasexp.data.prepared_data import Split

SIZE = (20, 30)
MANY = 20_000
COUNT, CLASSES = 23, 4
IMAGES = np.random.default_rng(0).integers(0, 256, (COUNT, 8, 10, 1), np.uint8)
SPLIT = Split(IMAGES, np.arange(COUNT) % CLASSES, [str(k) for k in range(COUNT)])
MILD = {"rotation": 20.0, "shift": 0.2}


def mixes(count: int = MANY, **keys) -> tuple[np.ndarray, np.ndarray]:
    """Weights [n] and boxes [n, 4]."""
    found = draw_mixes(Augmentation(**keys), count, SIZE, np.random.default_rng(0))
    return found[:, 0], found[:, 1:]


@pytest.mark.parametrize("alpha", [0.2, 1.0, 4.0])
def test_weights_of_mixup_are_of_a_beta_distribution(alpha):
    weights, boxes = mixes(mixup=alpha)
    assert weights.mean() == pytest.approx(0.5, abs=0.01)
    assert weights.var() == pytest.approx(1 / (4 * (2 * alpha + 1)), rel=0.03)
    assert not boxes.any() and weights.min() >= 0 and weights.max() <= 1


def test_rectangles_of_cutmix_have_the_image_s_aspect_whole_pixels_and_any_middle():
    weights, boxes = mixes(cutmix=1.0)
    assert (weights == 1).all() and boxes.min() == 0 and boxes.max() == 1
    pixels = boxes * np.tile(SIZE, 2)
    assert pixels == pytest.approx(np.round(pixels), abs=1e-5)
    inside = (boxes[:, :2] > 0).all(axis=1) & (boxes[:, 2:] < 1).all(axis=1)
    sides = boxes[inside, 2:] - boxes[inside, :2]
    assert np.abs(sides[:, 0] - sides[:, 1]).max() <= sum(1 / np.array(SIZE)) + 1e-6
    # Half of the area in the mean before what lies beyond the border is cut off, and less after it.
    area = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    assert 0.25 < area.mean() < 0.35
    assert ((boxes[:, :2] + boxes[:, 2:]) / 2).mean(axis=0) == pytest.approx([0.5, 0.5], abs=0.01)


def test_a_share_is_mixed_and_with_both_half_of_it_each_way():
    weights, boxes = mixes(mixup=1.0, cutmix=1.0, mix_share=0.6)
    faded, pasted = weights < 1, boxes[:, 2] > boxes[:, 0]
    assert not (faded & pasted).any()
    assert faded.mean() == pytest.approx(0.3, abs=0.01) and pasted.mean() == pytest.approx(0.3, abs=0.02)


def test_partners_are_a_permutation_of_each_batch():
    found = draw_partners(23, 10, np.random.default_rng(0))
    for first in (0, 10, 20):
        batch = found[first : first + 10]
        assert sorted(batch) == list(range(len(batch)))
    assert found.tolist() != sorted(found)
    many = draw_partners(MANY, 2, np.random.default_rng(0)).reshape(-1, 2)
    assert (many[:, 0] == 1).mean() == pytest.approx(0.5, abs=0.01)


def test_images_and_labels_are_mixed_by_the_same_shares():
    images = np.random.default_rng(1).integers(0, 256, (3, 4, 6, 3), np.uint8)
    labels, partners = np.eye(3, dtype=np.float32), np.array([1, 2, 0])
    drawn = np.array([[0.7, 0, 0, 0, 0], [1, 0.25, 0.5, 1, 1], [1, 0, 0, 0, 0]], np.float32)
    found = mix_images(tf.constant(images), tf.constant(drawn), tf.constant(partners)).numpy()
    assert found.dtype == np.uint8
    expected = images.astype(np.float64)
    expected[0] = 0.7 * images[0] + 0.3 * images[1]
    expected[1, 1:, 3:] = images[2, 1:, 3:]
    assert np.abs(found - expected).max() <= 0.5 + 1e-4
    shares = mix_labels(tf.constant(labels), tf.constant(drawn), tf.constant(partners)).numpy()
    kept = 1 - 9 / 24
    assert shares == pytest.approx(np.array([[0.7, 0.3, 0], [0, kept, 1 - kept], [0, 0, 1]]), abs=1e-6)


def test_the_shares_of_cutmix_are_those_of_the_pixels():
    black_and_white = np.zeros((200, *SIZE, 1), np.uint8)
    black_and_white[::2] = 255
    drawn = draw_mixes(Augmentation(cutmix=1.0), 200, SIZE, np.random.default_rng(0))
    partners = np.arange(200) ^ 1
    found = mix_images(tf.constant(black_and_white), tf.constant(drawn), tf.constant(partners)).numpy()
    labels = np.eye(2, dtype=np.float32)[np.arange(200) % 2]
    shares = mix_labels(tf.constant(labels), tf.constant(drawn), tf.constant(partners)).numpy()
    assert shares[:, 0] == pytest.approx(found.mean(axis=(1, 2, 3)) / 255, abs=1e-5)


def batches(seed=0, start=(0, 0), epochs=2, batch_size=5, split=SPLIT, **keys) -> list[tuple[np.ndarray, np.ndarray]]:
    augmentation = Augmentation(**keys) if keys else None
    found = training_batches(split, Sampling(batch_size), seed, augmentation, epochs, start, CLASSES)
    return [(images.numpy(), labels.numpy()) for images, labels in found]


def assert_equal(one, other) -> None:
    for left, right in zip(one, other, strict=True):
        for a, b in zip(left, right, strict=True):
            np.testing.assert_array_equal(a, b)


BOTH = {"mixup": 0.4, "cutmix": 1.0}


def test_batches_are_a_function_of_seed_epoch_and_step():
    whole = batches(**BOTH, **MILD)
    assert_equal(whole, batches(**BOTH, **MILD))
    assert_equal(whole[7:], batches(start=(1, 2), **BOTH, **MILD))
    assert not np.array_equal(whole[0][0], batches(seed=1, **BOTH, **MILD)[0][0])
    assert not np.array_equal(whole[0][1], whole[5][1])


def test_labels_become_shares_of_the_classes_of_two_images():
    for images, labels in batches(**BOTH):
        assert images.dtype == np.uint8 and labels.dtype == np.float32 and labels.shape == (len(images), CLASSES)
        assert labels.sum(axis=1) == pytest.approx(1) and ((labels > 0).sum(axis=1) <= 2).all()
    assert [len(images) for images, _ in batches(**BOTH)] == [5, 5, 5, 5, 3] * 2


def test_images_are_mixed_after_their_augmentation_which_stays_as_it_was():
    plain = batches(**MILD)
    for (images, labels), (mixed, shares) in zip(plain, batches(mixup=1.0, **MILD), strict=True):
        pixels = images.reshape(len(images), -1).astype(np.float64)
        for k in range(len(images)):
            # Each mixed image lies between its own and one of the batch.
            found, own = mixed[k].ravel(), pixels[k]
            errors = []
            for other in pixels:
                away = other - own
                share = 0 if not away.any() else np.clip((found - own) @ away / (away @ away), 0, 1)
                errors.append(np.abs(own + share * away - found).max())
            assert min(errors) < 1.5
            assert shares[k, labels[k]] > 0 or (shares[k] > 0).sum() == 1


def test_one_of_the_two_changes_no_draw_of_the_augmentation_or_the_order():
    drawn = [batches(mix_share=1e-9, **keys, **MILD) for keys in ({"mixup": 1.0}, {"cutmix": 1.0})]
    for (images, labels), *others in zip(batches(**MILD), *drawn, strict=True):
        for mixed, shares in others:
            np.testing.assert_array_equal(mixed, images)
            np.testing.assert_array_equal(shares, np.eye(CLASSES)[labels])


def test_several_labels_an_image_are_mixed_too():
    labels = np.random.default_rng(2).integers(0, 2, (COUNT, CLASSES), np.uint8)
    several = Split(IMAGES, labels, SPLIT.names)
    (_, shares), *_ = batches(split=several, mixup=1.0, batch_size=COUNT)
    assert shares.shape == (COUNT, CLASSES) and shares.min() >= 0 and shares.max() <= 1
    assert ((shares > 0) & (shares < 1)).any()
