"""Stratified samples and folds."""

import numpy as np

from kerasexp.data.stratified_sampling import stratified_parts, stratified_sample

LABELS = np.random.default_rng(0).permutation(np.repeat([0, 1, 2], [900, 90, 9]))


def test_a_sample_keeps_the_class_shares():
    sampled = stratified_sample(LABELS, 111, seed=0)
    assert len(sampled) == 111 == len(np.unique(sampled)) and np.all(np.diff(sampled) > 0)
    assert np.abs(np.bincount(LABELS[sampled]) - [100, 10, 1]).max() <= 1
    assert stratified_sample(LABELS, 5000, seed=0).tolist() == list(range(999))


def test_folds_have_equal_sizes_and_class_shares():
    parts = stratified_parts(LABELS, 3, seed=0)
    assert np.bincount(parts).tolist() == [333, 333, 333]
    assert [np.bincount(LABELS[parts == part]).tolist() for part in range(3)] == [[300, 30, 3]] * 3
    assert not np.array_equal(parts, stratified_parts(LABELS, 3, seed=1))
