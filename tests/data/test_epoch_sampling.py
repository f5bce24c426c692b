"""Oversampling of rare classes: how often, and which images."""

import numpy as np
import pytest

from kerasexp.config.augmentation_section import Augmentation
from kerasexp.data.epoch_sampling import Sampling, oversampled_counts, oversampled_positions
from kerasexp.data.pipeline import training_batches
from kerasexp.data.prepared_data import Split

COUNTS = [100, 7, 0, 1]
LABELS = np.random.default_rng(1).permutation(np.repeat(np.arange(4), COUNTS))


@pytest.mark.parametrize(
    ("oversample", "expected"), [(0, COUNTS), (1, [100, 100, 0, 100]), (0.5, [100, 26, 0, 10])], ids=str
)
def test_oversampled_counts(oversample, expected):
    assert oversampled_counts(COUNTS, oversample) == expected
    shown = oversampled_positions(LABELS, oversample, np.random.default_rng(0))
    assert np.bincount(LABELS[shown], minlength=4).tolist() == expected


def test_images_of_a_class_are_shown_equally_often_or_once_more():
    shown = oversampled_positions(LABELS, 1, np.random.default_rng(0))
    times = np.bincount(shown)[LABELS == 1]
    assert set(times) == {14, 15}
    assert not np.array_equal(
        times, np.bincount(oversampled_positions(LABELS, 1, np.random.default_rng(3)))[LABELS == 1]
    )


def test_without_oversampling_nothing_is_drawn():
    generator = np.random.default_rng(0)
    assert oversampled_positions(LABELS, 0, generator).tolist() == list(range(len(LABELS)))
    assert generator.integers(1000) == np.random.default_rng(0).integers(1000)


def test_a_repeated_image_is_augmented_differently():
    images = np.random.default_rng(0).integers(1, 256, (len(LABELS), 8, 8, 1), np.uint8)
    split = Split(images, LABELS, [str(i) for i in range(len(LABELS))])
    stream = training_batches(split, Sampling(50, oversample=1), 0, Augmentation(rotation=20, shift=0.2), 1)
    images, labels = (np.concatenate(parts) for parts in zip(*(map(np.asarray, b) for b in stream), strict=True))
    assert len(labels) == 300
    lone = images[labels == 3].reshape(100, -1)
    assert len(np.unique(lone, axis=0)) == 100


def test_a_resumed_epoch_shows_the_same_as_an_unbroken_one():
    split = Split(np.zeros((len(LABELS), 4, 4, 1), np.uint8), LABELS, [str(i) for i in range(len(LABELS))])
    whole = [labels.numpy().tolist() for _, labels in training_batches(split, Sampling(50, 1), 0, None, 2)]
    rest = [labels.numpy().tolist() for _, labels in training_batches(split, Sampling(50, 1), 0, None, 2, (1, 3))]
    assert len(whole) == 12 and whole[9:] == rest


def test_without_shuffling_every_epoch_has_the_stored_order():
    split = Split(np.zeros((len(LABELS), 4, 4, 1), np.uint8), LABELS, [str(i) for i in range(len(LABELS))])
    stream = training_batches(split, Sampling(50, shuffle=False), 0, Augmentation(rotation=5), 2)
    assert np.concatenate([labels for _, labels in stream]).tolist() == [*LABELS, *LABELS]
