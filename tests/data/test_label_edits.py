"""Edits of the labels: how many, which, and never in the test split."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from kerasexp.config.data_section import Data, Labels
from kerasexp.data.label_edits import corrupt_labels, describe_edits, subsample
from kerasexp.data.prepared_data import prepare
from kerasexp.errors import UserError

NAMES = ["a", "b", "c"]
LABELS = np.repeat([0, 1, 2], [100, 60, 40])


def kept(edits: Labels, seed: int = 0) -> np.ndarray:
    return np.bincount(LABELS[subsample(LABELS, NAMES, edits, seed, "train")], minlength=3)


def test_keep_selects_numbers_and_fractions_of_classes():
    assert kept(Labels(keep={"a": 0.1, "b": 5})).tolist() == [10, 5, 40]
    assert kept(Labels(keep={"c": 0})).tolist() == [100, 60, 0]
    assert kept(Labels(few_shot=7)).tolist() == [7, 7, 7]
    assert kept(Labels(few_shot=7, keep={"b": 1.0})).tolist() == [7, 60, 7]


def test_at_most_keeps_the_same_share_of_each_class():
    assert kept(Labels(at_most=20)).tolist() == [10, 6, 4]
    assert kept(Labels(at_most=500)).tolist() == [100, 60, 40]
    assert kept(Labels(at_most=20, keep={"a": 1, "b": 0})).tolist() == [1, 0, 20]
    assert kept(Labels(at_most=1)).tolist() == [1, 1, 1]


def test_the_subsample_depends_on_the_seed():
    first = subsample(LABELS, NAMES, Labels(few_shot=9), 0, "train")
    assert (np.diff(first) > 0).all()
    assert first.tolist() == subsample(LABELS, NAMES, Labels(few_shot=9), 0, "train").tolist()
    assert first.tolist() != subsample(LABELS, NAMES, Labels(few_shot=9), 1, "train").tolist()


@pytest.mark.parametrize(
    ("edits", "message"),
    [
        (Labels(keep={"bb": 1}), "data.labels.keep: no class 'bb'; did you mean 'b'"),
        (Labels(keep={"b": 61}), "data.labels.keep: cannot keep 61 images of class 'b', which has 60 in val"),
        (Labels(few_shot=41), "data.labels.few_shot: cannot keep 41 images of class 'c'"),
    ],
)
def test_impossible_edits_are_refused(edits, message):
    with pytest.raises(UserError, match=message):
        subsample(LABELS, NAMES, edits, 0, "val")


def test_complementary_labels_are_never_the_true_one_and_uniform_over_the_others():
    labels = np.repeat(np.arange(10), 3000)
    wrong = corrupt_labels(labels, 10, Labels(complement=True), 0)
    table = np.zeros((10, 10), int)
    np.add.at(table, (labels, wrong), 1)
    assert (np.diag(table) == 0).all()
    others = table[~np.eye(10, dtype=bool)]
    assert others.min() > 250 and others.max() < 420 and others.sum() == 30000


def test_noise_changes_its_share_of_the_labels():
    labels = np.repeat(np.arange(4), 500)
    noisy = corrupt_labels(labels, 4, Labels(noise=0.2), 0)
    assert np.sum(noisy != labels) == 400
    assert corrupt_labels(labels, 4, Labels(), 0).tolist() == labels.tolist()


def test_the_test_split_keeps_its_own_labels():
    plain = prepare(Data(source="digits"))
    edited = prepare(Data(source="digits", labels=Labels(complement=True, keep={"0": 0.1})))
    np.testing.assert_array_equal(plain.splits["test"].labels, edited.splits["test"].labels)
    assert plain.split_digests["test"] == edited.split_digests["test"] and plain.fingerprint != edited.fingerprint
    true = dict(zip(plain.splits["train"].names, plain.splits["train"].labels, strict=True))
    true |= dict(zip(plain.splits["val"].names, plain.splits["val"].labels, strict=True))
    for split in ("train", "val"):
        held = edited.splits[split]
        assert all(true[name] != label for name, label in zip(held.names, held.labels, strict=True))
    zeros = sum(true[name] == 0 for split in ("train", "val") for name in edited.splits[split].names)
    assert 10 <= zeros <= 20


def test_each_edit_is_described():
    text = "; ".join(describe_edits(Labels(keep={"0": 0.01, "4": 3}, few_shot=5, noise=0.2), has_val=False))
    assert "1 % of the images" in text and "3 images" in text and "5 images of every" in text and "20 %" in text
    assert "NOT" in describe_edits(Labels(complement=True), has_val=False)[0] and describe_edits(Labels(), True) == []


def test_a_source_with_a_val_split_keeps_as_much_of_it_as_of_train():
    images = np.random.default_rng(0).integers(0, 256, (90, 8, 8), np.uint8)
    splits = {"train": slice(60), "val": slice(60, 80), "test": slice(80, 90)}
    arrays = {f"x_{name}": images[part] for name, part in splits.items()}
    np.savez("p.npz", **arrays, **{f"y_{name}": np.arange(90)[part] % 2 for name, part in splits.items()})
    keys = {"source": "npz", "path": "p.npz", "preprocessing": {"size": [8, 8]}}
    data = prepare(Data(**keys, labels=Labels(at_most=10)))
    assert len(data.splits["train"]) == len(data.splits["val"]) == 10
    assert data.edits == ["train and val each keep about 10 images at most, the same share of each class"]
    with pytest.raises(UserError, match="few_shot: cannot keep 11 images of class '0', which has 10 in val"):
        prepare(Data(**keys, labels=Labels(few_shot=11)))


def test_a_removed_class_is_reported_with_the_highest_possible_accuracy(cli, tmp_path):
    path = tmp_path / "rare.yaml"
    path.write_text(
        "data: {source: digits, labels: {keep: {0: 0, 4: 0.1}}}\nmodel: {name: mlp, units: [8]}\ntraining: {epochs: 1}\n"
    )
    answer = cli("run", path)
    assert answer.code == 0, answer.err
    assert "train has no image of 0: no loss can make up for that, and test accuracy cannot exceed 0.9" in answer.out
    assert "labels: of class 0, train and val keep 0 images" in answer.out
    page = (Path(answer.last_line) / "report.html").read_text()
    assert "Of class 0, train and val keep 0 images." in page and "Train has no image of 0: no loss" in page


def test_the_test_split_of_another_source(cli, tmp_path, images):
    other = tmp_path / "other"
    for folder in ("across", "disc", "upright"):
        for split, numbers in (("train", range(10)), ("test", range(10, 20))):
            (other / split / folder).mkdir(parents=True)
            for number in numbers:
                shutil.copy(images / folder / f"{number:02d}.png", other / split / folder)
    data = Data(source="image_folder", path=str(images), test={"source": "image_folder", "path": str(other)})
    splits = prepare(data).splits
    assert len(splits["test"]) == 30 and len(splits["train"]) + len(splits["val"]) == 60
    (other / "test" / "disc").rename(other / "test" / "ring")
    (other / "train" / "disc").rename(other / "train" / "ring")
    with pytest.raises(UserError, match="has no class disc"):
        prepare(data)
    with pytest.raises(UserError, match="has a test split of its own"):
        prepare(Data(source="digits", test={"source": "digits"}))
