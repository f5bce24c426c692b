"""Stratified samples and folds."""

import numpy as np
from sklearn.model_selection import StratifiedKFold

from kerasexp.data.stratified_sampling import cross_validation_folds, stratified_parts, stratified_sample

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


def test_images_of_one_group_are_in_one_part_and_one_fold():
    groups = [f"w{number}" for number in np.random.default_rng(1).integers(0, 40, 999)]
    parts = stratified_parts(LABELS, 3, 0, groups)
    for held in (parts == 0, parts == 1, parts == 2):
        assert not {groups[i] for i in np.flatnonzero(held)} & {groups[i] for i in np.flatnonzero(~held)}
        assert 250 < held.sum() < 420 and (np.bincount(LABELS[held], minlength=3) > 0).all()
    folds = cross_validation_folds(LABELS, groups, 0)
    assert sorted(np.concatenate([held for _, held in folds])) == list(range(999)) and len(folds) == 5
    assert all(not {groups[i] for i in kept} & {groups[i] for i in held} for kept, held in folds)


def test_no_part_is_empty_however_few_the_groups():
    for seed in range(20):
        labels = np.repeat(np.arange(6), 7)
        assert set(stratified_parts(labels, 6, seed, [f"g{label}" for label in labels])) == set(range(6))
        # Two groups are not kept together in three parts.
        assert set(stratified_parts(labels, 3, seed, ["a", *["b"] * 41])) == {0, 1, 2}


def test_without_groups_folds_are_those_of_scikit_learn():
    theirs = StratifiedKFold(5, shuffle=True, random_state=3).split(np.zeros(999), LABELS)
    for ours, expected in zip(cross_validation_folds(LABELS, None, 3), theirs, strict=True):
        assert all(map(np.array_equal, ours, expected))
