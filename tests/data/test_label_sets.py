import numpy as np
import pytest
from digit_pairs import digit_pairs

from kerasexp.config.data_section import Validation
from kerasexp.data.hold_out import hold_out
from kerasexp.data.iterative_stratification import stratified_subsets
from kerasexp.data.label_sets import as_classes, count_labels, label_set, label_set_numbers, label_text
from kerasexp.data.stratified_sampling import stratified_sample
from kerasexp.errors import UserError

NAMES = ["cat", "dog", "horse"]
SETS = np.array([[1, 1, 0], [0, 0, 0], [1, 1, 0], [0, 0, 1]], np.uint8)


def test_counts_numbers_and_texts_of_sets():
    assert count_labels(SETS, 3).tolist() == [2, 2, 1]
    assert count_labels(np.array([0, 2, 2]), 4).tolist() == [1, 0, 2, 0]
    numbers = label_set_numbers(SETS)
    assert numbers[0] == numbers[2] and len(set(numbers.tolist())) == 3
    assert [label_text(row, NAMES) for row in SETS] == ["cat;dog", "", "cat;dog", "horse"]
    assert label_text(np.int64(1), NAMES) == "dog"


def test_sets_as_classes_for_what_shows_one_class():
    numbers, names = as_classes(np.stack([SETS, SETS], axis=1), NAMES)
    assert numbers.shape == (4, 2) and [names[k] for k in numbers[:, 0]] == ["cat;dog", "–", "cat;dog", "horse"]
    labels = np.array([2, 0])
    assert as_classes(labels, NAMES) == (labels, NAMES)


def test_a_label_cannot_have_the_separator_in_its_name():
    with pytest.raises(UserError, match="'a;b' has a ';', which separates labels; rename it"):
        label_set(["x", "a;b"])


def test_each_label_keeps_its_share_in_a_split_and_rare_ones_are_in_both_sides():
    labels = np.concatenate([digit_pairs(1000)[1], np.zeros((1000, 1), np.uint8)], axis=1)
    labels[[5, 500, 700, 900], 10] = 1  # a rare label
    kept, held = hold_out(labels, None, 0.25, 0, "data.test")
    assert sorted([*kept, *held]) == list(range(1000)) and abs(len(held) - 250) <= 12
    shares = labels[held].sum(axis=0) / labels.sum(axis=0)
    assert shares[10] == 0.25 and np.abs(shares[:10] - 0.25).max() < 0.02
    again = hold_out(labels, None, 0.25, 0, "data.test")[1]
    other = hold_out(labels, None, 0.25, 1, "data.test")[1]
    assert np.array_equal(held, again) and not np.array_equal(held, other)


def test_folds_have_each_image_once():
    labels = digit_pairs(300)[1]
    held = [hold_out(labels, None, Validation(folds=3, fold=fold), 0, "data.validation")[1] for fold in range(3)]
    assert sorted(np.concatenate(held).tolist()) == list(range(300)) and max(map(len, held)) < 115


def test_images_without_labels_are_spread_too():
    labels = np.zeros((40, 2), np.uint8)
    labels[:10, 0] = 1
    subsets = stratified_subsets(labels, [0.5, 0.5], 0)
    assert np.bincount(subsets[10:]).tolist() == [15, 15] and np.bincount(subsets[:10]).tolist() == [5, 5]


def test_groups_stay_together_and_too_few_images_are_an_error():
    labels, groups = digit_pairs(60)[1], np.repeat(np.arange(20), 3)
    kept, held = hold_out(labels, groups, 0.3, 0, "data.test")
    assert not set(groups[kept]) & set(groups[held])
    with pytest.raises(UserError, match="data.test: cannot split 1 images: one side would be empty"):
        hold_out(labels[:1], None, 0.3, 0, "data.test")


def test_a_sample_has_each_set_in_its_share():
    labels = np.repeat(SETS[[0, 1, 3]], [60, 30, 10], axis=0)
    sampled = labels[stratified_sample(labels, 10, 0)]
    assert sampled.sum(axis=0).tolist() == [6, 6, 1]
