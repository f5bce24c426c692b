"""Seeded hold-out splits: stratified by class, or by groups that stay together."""

import numpy as np
import pytest

from kerasexp.config.data_section import Validation
from kerasexp.data.hold_out import hold_out, match_groups
from kerasexp.errors import UserError

LABELS = np.repeat([0, 1, 2], [100, 50, 10])
GROUPS = np.arange(160) % 16


def test_every_image_is_on_exactly_one_side():
    kept, held = hold_out(LABELS, None, 0.2, 0, "data.test")
    assert sorted([*kept, *held]) == list(range(160))
    assert len(held) == 32
    assert list(kept) == sorted(kept) and list(held) == sorted(held)


def test_a_split_is_stratified():
    _, held = hold_out(LABELS, None, 0.2, 0, "data.test")
    assert np.bincount(LABELS[held]).tolist() == [20, 10, 2]


def test_a_split_depends_on_the_seed():
    splits = [hold_out(LABELS, None, 0.2, seed, "data.test")[1].tolist() for seed in (0, 0, 1)]
    assert splits[0] == splits[1] != splits[2]


def test_folds_are_disjoint_and_complete():
    folds = [hold_out(LABELS, None, Validation(folds=5, fold=fold), 0, "data.validation")[1] for fold in range(5)]
    assert sorted(np.concatenate(folds)) == list(range(160))
    assert all(np.bincount(LABELS[held]).tolist() == [20, 10, 2] for held in folds)


def test_folds_depend_on_the_seed():
    folds = [hold_out(LABELS, None, Validation(), seed, "data.validation")[1].tolist() for seed in (0, 0, 1)]
    assert folds[0] == folds[1] != folds[2]


@pytest.mark.parametrize("part", [0.25, Validation(folds=4, fold=1)], ids=["fraction", "fold"])
def test_a_group_stays_on_one_side(part):
    for seed in range(5):
        kept, held = hold_out(LABELS, GROUPS, part, seed, "data.test")
        assert not set(GROUPS[kept]) & set(GROUPS[held])
        assert len(set(GROUPS[held])) == 4
        assert sorted([*kept, *held]) == list(range(160))


def test_folds_of_groups_are_complete():
    folds = [hold_out(LABELS, GROUPS, Validation(folds=3, fold=fold), 0, "data.validation")[1] for fold in range(3)]
    assert sorted(np.concatenate(folds)) == list(range(160))


@pytest.mark.parametrize(
    ("labels", "groups", "part"),
    [
        ([0, 0, 0, 1], None, 0.25),  # one image of a class cannot be on both sides
        ([0, 0, 1, 1], None, 0.25),  # one image held out cannot be of two classes
        ([0, 1, 0, 1], None, Validation(folds=3, fold=0)),
        ([0, 1, 0, 1], ["w", "w", "w", "w"], 0.5),
        ([0, 1, 0, 1], ["v", "v", "w", "w"], Validation(folds=3, fold=0)),
        ([], None, 0.1),
        ([0], None, 0.1),
    ],
)
def test_too_few_images_are_refused_with_the_key(labels, groups, part):
    groups = None if groups is None else np.array(groups)
    with pytest.raises(UserError, match="cannot split") as caught:
        hold_out(np.array(labels, dtype=np.int64), groups, part, 0, "data.validation")
    assert caught.value.problems[0].key == "data.validation"


@pytest.mark.parametrize(
    ("groups", "part", "reason"),
    [
        (
            "wwww",
            0.1,
            r"4 images: 1 group is left to split, and 0\.1 of the groups, rounded up to 1, leaves none for train",
        ),
        ("vvww", 0.9, r"4 images: 2 groups are left to split, and 0\.9 of the groups, rounded up to 2, leaves none"),
        ("vvww", Validation(folds=3, fold=0), "2 groups are left to split, and 3 folds need as many groups"),
    ],
)
def test_too_few_groups_are_counted_in_plain_words(groups, part, reason):
    with pytest.raises(UserError, match=reason):
        hold_out(np.array([0, 1, 0, 1]), np.array(list(groups)), part, 0, "data.validation")


@pytest.mark.parametrize(("each", "part", "smallest"), [(5, 0.1, 0.2), (3, 0.2, 0.34)])
def test_a_share_below_one_image_of_each_class_names_the_least_share(each, part, smallest):
    labels = np.repeat(np.arange(8), each)
    with pytest.raises(UserError, match=rf"fewer than the 8 classes; use {smallest} or more"):
        hold_out(labels, None, part, 0, "data.validation")
    _, held = hold_out(labels, None, smallest, 0, "data.validation")
    assert sorted(set(labels[held])) == list(range(8))


def test_a_class_of_one_image_is_not_named_by_its_number():
    with pytest.raises(UserError, match=r"1 in the smallest class: each class needs 2 images or more") as caught:
        hold_out(np.array([0, 0, 0, 1]), None, 0.5, 0, "data.validation")
    assert "[1]" not in str(caught.value)


def test_groups_are_matched_in_names():
    names = ["Sample001/img001-007.png", "Sample002/img002-011.png"]
    assert match_groups(names, r"-(\d+)\.") == ["007", "011"]


@pytest.mark.parametrize("pattern", [r"-(\d+)\.", r"^(\d+)?"], ids=["no match", "empty group"])
def test_a_name_without_a_group_is_refused(pattern):
    with pytest.raises(UserError, match=r"data\.groups: .*'cat\.png'"):
        match_groups(["1-2.png", "cat.png"], pattern)
