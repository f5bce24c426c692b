"""Images drawn so that each class has its share."""

import numpy as np

from kerasexp.data.stratified_sampling import stratified_parts, stratified_sample
from kerasexp.diagnosis.downsampling import reduced

LABELS = np.random.default_rng(0).permutation(np.repeat([0, 1, 2], [900, 90, 9]))


def test_a_sample_has_each_class_by_its_share():
    taken = stratified_sample(LABELS, 111, seed=0)
    assert len(taken) == 111 == len(np.unique(taken)) and np.all(np.diff(taken) > 0)
    assert np.abs(np.bincount(LABELS[taken]) - [100, 10, 1]).max() <= 1
    assert stratified_sample(LABELS, 5000, seed=0).tolist() == list(range(999))


def test_parts_are_equal_and_so_is_each_class_in_them():
    parts = stratified_parts(LABELS, 3, seed=0)
    assert np.bincount(parts).tolist() == [333, 333, 333]
    assert [np.bincount(LABELS[parts == part]).tolist() for part in range(3)] == [[300, 30, 3]] * 3
    assert not np.array_equal(parts, stratified_parts(LABELS, 3, seed=1))


def test_images_are_averaged_over_whole_blocks():
    images = np.random.default_rng(0).integers(0, 256, (3, 9, 8, 3)).astype(np.uint8)
    small = reduced(images, 4)
    assert small.shape == (3, 4, 4, 3) and small.dtype == np.uint8
    assert small[1, 2, 3, 0] == np.rint(images[1, 4:6, 6:8, 0].mean())
    assert reduced(images, 8) is images
