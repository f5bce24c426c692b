"""Checks of the splits."""

import numpy as np
import pytest

from kerasexp.data.prepared_data import Split
from kerasexp.diagnosis.split_diagnosis import compare_shares, count_classes, two_sample_test


def split(labels, images=None) -> Split:
    labels = np.array(labels)
    images = np.zeros((len(labels), 8, 8, 1), np.uint8) if images is None else images
    return Split(images, labels, [str(i) for i in range(len(labels))])


def test_missing_rare_and_few():
    found = count_classes(split(np.repeat([0, 1, 3], [200, 100, 9])), 4)
    assert found.counts.tolist() == [200, 100, 0, 9]
    assert (found.missing, found.rare, found.few) == ([2], [3], [3])
    empty = count_classes(split(np.zeros(0, int)), 2)
    assert (empty.missing, empty.rare, empty.few) == ([0, 1], [], [])


def test_shares_that_differ_and_that_do_not():
    alike = compare_shares(np.array([600, 400, 0]), np.array([61, 39, 0]))
    assert alike.p_value > 0.5 and not alike.matters
    apart = compare_shares(np.array([600, 300, 100]), np.array([20, 50, 30]))
    assert apart.matters and apart.distance == pytest.approx(0.4) and apart.label == 0
    assert (apart.first, apart.second) == (0.6, 0.2)
    assert compare_shares(np.array([3, 4]), np.array([0, 0])) is None
    assert not compare_shares(np.array([3, 0]), np.array([4, 0])).matters


def test_the_two_sample_test_separates_two_kinds_of_images_and_not_one():
    generator = np.random.default_rng(0)

    def drawn(brightness):
        images = generator.normal(brightness, 30, (150, 8, 8, 1)).clip(0, 255).astype(np.uint8)
        return split(np.zeros(150, int), images)

    same = two_sample_test(drawn(100), drawn(100), 0)
    assert same.low < 0.5 < same.high and not same.matters and same.images == 300
    other = two_sample_test(drawn(100), drawn(120), 0)
    assert other.auc > 0.9 and other.matters
    assert two_sample_test(drawn(100), split([]), 0) is None


def test_the_two_sample_test_reads_large_images_some_at_a_time(read_later):
    images = np.random.default_rng(0).integers(0, 256, (30, 28, 28, 1)).astype(np.uint8)
    later = read_later(images)
    found = [two_sample_test(*[split(np.zeros(30, int), stored)] * 2, 0) for stored in (images, later)]
    assert found[0] == found[1] and max(later.read) == 7
