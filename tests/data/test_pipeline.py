"""Training batches: a function of (seed, epoch), the same in a resumed run."""

import numpy as np
import pytest

from kerasexp.config.augmentation_section import Augmentation
from kerasexp.data.epoch_sampling import Sampling
from kerasexp.data.pipeline import evaluation_batches, training_batches
from kerasexp.data.prepared_data import Split

COUNT = 23
MILD = Augmentation(rotation=20, shift=0.2, zoom=0.1, shear=5)


@pytest.fixture(scope="module")
def split() -> Split:
    """Images of noise; the label of each is its position."""
    images = np.random.default_rng(0).integers(1, 256, (COUNT, 8, 10, 1), np.uint8)
    return Split(images, np.arange(COUNT), [str(i) for i in range(COUNT)])


def batches(split, seed=0, augmentation=None, first=0, epochs=1, batch_size=5) -> list[tuple[np.ndarray, np.ndarray]]:
    stream = training_batches(split, Sampling(batch_size), seed, augmentation, epochs, (first, 0))
    return [(images.numpy(), labels.numpy()) for images, labels in stream]


def labels_of(stream) -> list[int]:
    return np.concatenate([labels for _, labels in stream]).tolist()


def equal(one, other) -> bool:
    return len(one) == len(other) and all(
        np.array_equal(a, b) for left, right in zip(one, other, strict=True) for a, b in zip(left, right, strict=True)
    )


@pytest.mark.parametrize("augmentation", [None, MILD], ids=["plain", "augmented"])
def test_the_same_seed_and_epoch_give_the_same_batches(split, augmentation):
    assert equal(batches(split, 3, augmentation), batches(split, 3, augmentation))


def test_another_seed_gives_another_order(split):
    assert labels_of(batches(split, 3)) != labels_of(batches(split, 4))


def test_epochs_differ_in_order_and_augmentation(split):
    stream = batches(split, 0, MILD, epochs=2)
    one, other = stream[:5], stream[5:]
    assert labels_of(one) != labels_of(other)
    images = [
        {label: image for images, labels in epoch for image, label in zip(images, labels, strict=True)}
        for epoch in (one, other)
    ]
    assert sum(np.array_equal(images[0][label], images[1][label]) for label in range(COUNT)) == 0


def test_every_epoch_shows_each_image_once(split):
    order = labels_of(batches(split, 0, MILD, epochs=3))
    for epoch in range(3):
        assert sorted(order[epoch * COUNT : (epoch + 1) * COUNT]) == list(range(COUNT))


def test_the_last_batch_of_an_epoch_may_be_smaller(split):
    assert [len(labels) for _, labels in batches(split, epochs=2, batch_size=10)] == [10, 10, 3, 10, 10, 3]


def test_a_batch_size_above_the_number_of_images(split):
    assert [len(labels) for _, labels in batches(split, batch_size=1000)] == [COUNT]


@pytest.mark.parametrize("augmentation", [None, MILD], ids=["plain", "augmented"])
@pytest.mark.parametrize("first", [1, 3])
def test_a_later_start_gives_the_rest_of_the_unbroken_stream(split, augmentation, first):
    unbroken = batches(split, 7, augmentation, epochs=4)
    assert equal(batches(split, 7, augmentation, first=first, epochs=4), unbroken[5 * first :])


def test_a_start_at_the_end_gives_no_batches(split):
    assert batches(split, first=2, epochs=2) == []


def test_the_batch_size_affects_neither_order_nor_augmentation(split):
    small, large = batches(split, 1, MILD, batch_size=4), batches(split, 1, MILD, batch_size=23)
    assert np.array_equal(np.concatenate([images for images, _ in small]), large[0][0])
    assert labels_of(small) == labels_of(large)


def test_without_augmentation_the_images_are_the_stored_ones(split):
    for images, labels in batches(split):
        assert images.dtype == np.uint8 and labels.dtype == np.int64
        assert np.array_equal(images, split.images[labels])


def test_augmentation_changes_images_but_neither_labels_nor_order(split):
    plain, changed = batches(split), batches(split, augmentation=MILD)
    assert labels_of(plain) == labels_of(changed)
    for (stored, _), (images, _) in zip(plain, changed, strict=True):
        assert images.dtype == np.uint8 and images.shape == stored.shape
        assert all(not np.array_equal(a, b) for a, b in zip(images, stored, strict=True))


def test_augmentation_without_any_range_changes_nothing(split):
    assert equal(batches(split, augmentation=Augmentation()), batches(split))


def test_augmentation_belongs_to_the_image_not_its_position(split):
    """Row i of an epoch's draw belongs to image i: a wider range of one kind leaves the other kinds as they were."""
    shifted = batches(split, augmentation=Augmentation(shift=0.2))
    both = batches(split, augmentation=Augmentation(shift=0.2, rotation=1e-6))
    for (one, _), (other, _) in zip(shifted, both, strict=True):
        assert np.abs(one.astype(int) - other).max() <= 1


def test_evaluation_batches_are_complete_and_in_order(split):
    stream = [(images.numpy(), labels.numpy()) for images, labels in evaluation_batches(split.images, split.labels, 10)]
    assert [len(labels) for _, labels in stream] == [10, 10, 3]
    assert np.array_equal(np.concatenate([images for images, _ in stream]), split.images)
    assert labels_of(stream) == list(range(COUNT))


@pytest.mark.parametrize(
    ("keys", "shape"),
    [
        (None, (None, 8, 10, 1)),
        ({}, (None, None, None, 1)),
        ({"rotation": 20.0}, (None, None, None, 1)),
        ({"color": 0.2}, (None, None, None, None)),
        ({"erase": 0.5}, (None, None, None, 1)),
        ({"stroke": 0.5}, (None, None, None, 1)),
        ({"stroke": 0.5, "elastic": {"sigma": 2}}, (None, 8, 10, 1)),
    ],
)
def test_what_a_graph_knows_of_a_batch_stays_for_the_numerics_version(split, keys, shape):
    """A network is computed with other roundings where the shape of its images is known: see NUMERICS_VERSION."""
    augmentation = None if keys is None else Augmentation(**keys)
    images, labels = training_batches(split, Sampling(5), 0, augmentation, 1).element_spec
    assert tuple(images.shape) == shape and tuple(labels.shape) == (None,)
