"""Batches of P classes with K images each: their content, how often each image is shown, dependence on the seed."""

import numpy as np
import pytest

from kerasexp.config.augmentation_section import Augmentation
from kerasexp.config.training_section import ClassBatches
from kerasexp.data.class_batches import class_batch_steps, classes_per_batch, draw_class_batches
from kerasexp.data.epoch_sampling import Sampling
from kerasexp.data.pipeline import training_batches
from kerasexp.data.prepared_data import Split

COUNTS = {
    "even": [12] * 6,
    "no multiples of K": [9, 10, 11, 13, 7, 5],
    "one of many images": [100, 8, 8, 8, 8],
    "fewer than K": [1, 2, 3, 12, 12, 12],
    "as many classes as a batch": [10, 20, 30],
    "classes without images": [0, 8, 0, 8, 8, 8, 0],
    "one each": [1] * 7,
}
P3K4 = ClassBatches(classes=3, images=4)


def labels_of(counts) -> np.ndarray:
    return np.random.default_rng(1).permutation(np.repeat(np.arange(len(counts)), counts))


def epoch(counts, batches=P3K4, seed=0) -> np.ndarray:
    """Positions, [steps, P, K]."""
    drawn = draw_class_batches(labels_of(counts), batches, np.random.default_rng(seed))
    return drawn.reshape(class_batch_steps(counts, batches), batches.classes, batches.images)


@pytest.mark.parametrize("counts", COUNTS.values(), ids=COUNTS)
@pytest.mark.parametrize("seed", range(3))
def test_every_batch_has_p_classes_with_k_images(counts, seed):
    labels, drawn = labels_of(counts), epoch(counts, seed=seed)
    of_class = labels[drawn]
    assert (of_class == of_class[..., :1]).all()
    for step in of_class[..., 0]:
        assert len(set(step.tolist())) == 3
    for group in drawn.reshape(-1, 4):
        assert len(set(group.tolist())) == min(4, counts[labels[group[0]]])


@pytest.mark.parametrize("case", ["even", "no multiples of K", "fewer than K", "classes without images", "one each"])
def test_an_epoch_shows_each_image_at_least_once(case):
    counts = COUNTS[case]
    assert sorted(set(epoch(counts).ravel().tolist())) == list(range(sum(counts)))


def test_if_groups_fit_each_image_is_shown_exactly_once():
    assert sorted(epoch(COUNTS["even"]).ravel().tolist()) == list(range(72))


def test_images_of_a_class_are_shown_equally_often_or_once_more():
    for counts in COUNTS.values():
        times = np.bincount(epoch(counts).ravel(), minlength=sum(counts))
        for label, count in enumerate(counts):
            # A group of four has an image of fewer twice and more.
            if count >= 4:
                assert np.ptp(times[labels_of(counts) == label]) <= 1


def test_a_class_too_large_for_an_epoch_shows_another_subset_each_epoch():
    counts = COUNTS["one of many images"]
    steps = class_batch_steps(counts, P3K4)
    assert steps == 11  # 25 + 4 * 2 groups, three a batch
    parts = [epoch(counts, seed=seed) for seed in (0, 1)]
    shown = [set(part[labels_of(counts)[part] == 0].tolist()) for part in parts]
    assert [len(part) for part in shown] == [44, 44] and shown[0] != shown[1]


def test_classes_share_batches_with_varying_others():
    """In a fixed order, each class would share its batches with the same others again and again."""
    counts = [40] * 12
    steps = labels_of(counts)[epoch(counts)[..., 0]]
    met = {tuple(sorted(step.tolist())) for step in steps}
    assert len(met) > 30


def test_batches_depend_on_the_generator_only():
    counts = COUNTS["no multiples of K"]
    assert np.array_equal(epoch(counts, seed=3), epoch(counts, seed=3))
    assert not np.array_equal(epoch(counts, seed=3), epoch(counts, seed=4))


@pytest.mark.parametrize("counts", COUNTS.values(), ids=COUNTS)
def test_the_number_of_steps_is_known_in_advance(counts):
    size = Sampling(12, class_batches=P3K4).size(counts)
    assert (size.batch_size, size.smallest_batch) == (12, 12)
    assert size.images == draw_class_batches(labels_of(counts), P3K4, np.random.default_rng(0)).size == 12 * size.steps


def test_a_stand_in_with_fewer_classes_has_smaller_batches():
    batches = ClassBatches(classes=16, images=4)
    assert classes_per_batch([5, 5, 0, 5], batches) == 3
    assert Sampling(64, class_batches=batches).size([5, 5, 0, 5]).batch_size == 12
    labels = labels_of([5, 5, 0, 5])
    stream = training_batches(split_of(labels), Sampling(64, class_batches=batches), 0, None, 1)
    assert [sorted(np.bincount(batch, minlength=4).tolist()) for _, batch in stream] == [[0, 4, 4, 4]] * 2


def split_of(labels) -> Split:
    images = np.random.default_rng(0).integers(1, 256, (len(labels), 4, 4, 1)).astype(np.uint8)
    return Split(images, labels, [str(i) for i in range(len(labels))])


@pytest.mark.parametrize("augmentation", [None, Augmentation(rotation=20, shift=0.2)], ids=["plain", "augmented"])
def test_a_resumed_epoch_shows_the_same_as_an_unbroken_one(augmentation):
    split = split_of(labels_of(COUNTS["no multiples of K"]))

    def stream(begin):
        batches = training_batches(split, Sampling(12, class_batches=P3K4), 7, augmentation, 3, begin)
        return [(images.numpy(), labels.numpy()) for images, labels in batches]

    whole, rest = stream((0, 0)), stream((1, 2))
    steps = Sampling(12, class_batches=P3K4).size(COUNTS["no multiples of K"]).steps
    assert len(whole) == 3 * steps and len(rest) == 2 * steps - 2
    for (images, labels), (same_images, same_labels) in zip(whole[steps + 2 :], rest, strict=True):
        assert np.array_equal(images, same_images) and np.array_equal(labels, same_labels)


def test_labels_stay_with_their_images():
    labels = labels_of(COUNTS["even"])
    split = split_of(labels)
    for images, given in training_batches(split, Sampling(12, class_batches=P3K4), 0, None, 1):
        for image, label in zip(images.numpy(), given.numpy(), strict=True):
            found = np.flatnonzero((split.images == image).all(axis=(1, 2, 3)))
            assert label in labels[found]
