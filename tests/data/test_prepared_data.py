"""From the data section to arrays: splits, classes, faults, fingerprint."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from kerasexp.config.data_section import Data, Labels, Preprocessing, Validation
from kerasexp.data.class_selection import select_classes
from kerasexp.data.prepared_data import prepare
from kerasexp.data.sources import load_source
from kerasexp.errors import RunError, UserError

GENERATOR = np.random.default_rng(0)
IMAGES = GENERATOR.integers(0, 256, (120, 8, 8), np.uint8)
LABELS = np.repeat(["cat", "dog", "emu"], 40)
SMALL = Preprocessing(size=[8, 8])


@pytest.fixture
def npz() -> dict:
    """An archive of 120 images without splits, as keys of the data section."""
    np.savez("p.npz", x=IMAGES, y=LABELS)
    return {"source": "npz", "path": "p.npz", "preprocessing": SMALL}


@pytest.fixture
def npz_with_splits() -> dict:
    order = GENERATOR.permutation(120)
    parts = {"train": order[:80], "val": order[80:100], "test": order[100:]}
    arrays = {
        f"{kind}_{split}": {"x": IMAGES, "y": LABELS}[kind][part] for split, part in parts.items() for kind in "xy"
    }
    np.savez("p.npz", **arrays)
    return {"source": "npz", "path": "p.npz", "preprocessing": SMALL}


def sizes(data) -> dict[str, int]:
    return {name: len(split) for name, split in data.splits.items()}


def test_a_source_without_splits_gets_three_disjoint_splits(npz):
    data = prepare(Data(**npz, validation=0.25, test=0.2))
    assert sizes(data) == {"train": 72, "val": 24, "test": 24}
    names = [name for split in data.splits.values() for name in split.names]
    assert len(set(names)) == 120


def test_the_test_split_is_a_tenth_by_default(npz):
    assert len(prepare(Data(**npz)).splits["test"]) == 12


def test_images_keep_their_labels_and_names(npz):
    data = prepare(Data(**npz))
    for split in data.splits.values():
        for image, label, name in zip(split.images, split.labels, split.names, strict=True):
            position = int(name.removeprefix("train/"))
            assert np.array_equal(image[..., 0], IMAGES[position])
            assert data.class_names[label] == LABELS[position]


def test_splits_of_the_source_are_used_unchanged(npz_with_splits):
    assert sizes(prepare(Data(**npz_with_splits, validation=0.5))) == {"train": 80, "val": 20, "test": 20}


def test_a_share_for_a_source_that_has_a_val_split_is_said_to_be_unused(npz_with_splits):
    note = "data.validation is not used: the source has a val split of its own"
    assert note in prepare(Data(**npz_with_splits, validation=0.5)).notes
    assert note not in prepare(Data(**npz_with_splits)).notes


def test_folds_of_a_source_that_has_a_val_split_are_refused(npz_with_splits):
    folds = Validation(folds=4, fold=1)
    with pytest.raises(
        UserError, match=r"data\.validation: the source has a val split of its own; folds need a source"
    ):
        prepare(Data(**npz_with_splits, validation=folds))
    stand_in = {key: npz_with_splits[key] for key in ("source", "path")}
    data = prepare(Data(source="image_folder", path="nowhere", preprocessing=SMALL, validation=folds, offline=stand_in))
    assert sizes(data) == {"train": 80, "val": 20, "test": 20} and not any("data.validation" in n for n in data.notes)


def test_a_test_fraction_for_a_source_that_has_a_test_split_is_refused(npz_with_splits):
    with pytest.raises(UserError, match=r"data\.test: the source has a test split"):
        prepare(Data(**npz_with_splits, test=0.2))


def test_splits_are_stratified(npz):
    for split in prepare(Data(**npz, validation=0.25, test=0.2)).splits.values():
        assert len(set(np.bincount(split.labels))) == 1


def test_the_test_split_does_not_depend_on_validation(npz):
    one = prepare(Data(**npz, validation=0.1))
    other = prepare(Data(**npz, validation=Validation(folds=3, fold=2)))
    assert one.splits["test"].names == other.splits["test"].names
    assert one.splits["val"].names != other.splits["val"].names


def test_splits_follow_their_own_seed(npz):
    names = [prepare(Data(**npz, split_seed=seed)).splits["test"].names for seed in (0, 0, 1)]
    assert names[0] == names[1] != names[2]


def test_folds_cover_everything_but_test(npz):
    folds = [prepare(Data(**npz, validation=Validation(folds=4, fold=fold))) for fold in range(4)]
    held = [name for data in folds for name in data.splits["val"].names]
    assert len(held) == len(set(held)) == 108


def test_groups_stay_together_in_test_and_val(npz):
    """The last digit of the position stands for a writer."""
    data = prepare(Data(**npz, groups=r"(\d)$", test=0.2, validation=0.25))
    writers = [{name[-1] for name in split.names} for split in data.splits.values()]
    assert sum(map(len, writers)) == len(set.union(*writers)) == 10


def test_a_group_pattern_without_matches_is_refused(npz):
    with pytest.raises(UserError, match=r"data\.groups: .* does not match the name 'train/0"):
        prepare(Data(**npz, groups=r"writer(\d+)"))


def test_groups_in_several_given_splits_are_named(npz_with_splits):
    notes = prepare(Data(**npz_with_splits, groups=r"(\d)$")).notes
    assert "10 groups with images in several splits: 0, 1, 2, ... (7 more)" in notes
    assert not any("in several splits" in note for note in prepare(Data(**npz_with_splits, groups="(.*)")).notes)


def test_a_name_of_a_given_split_without_a_group_is_refused(npz_with_splits):
    with pytest.raises(UserError, match=r"data\.groups: .* does not match the name 'val/00000'"):
        prepare(Data(**npz_with_splits, groups=r"train/\d*(\d)"))


def test_the_names_of_another_test_set_need_no_groups(npz_with_splits):
    np.savez("q.npz", x=IMAGES, y=LABELS)
    test = {"source": "npz", "path": "p.npz"}
    data = prepare(Data(**{**npz_with_splits, "path": "q.npz"}, groups=r"train/\d*(\d)$", test=test))
    assert data.splits["test"].groups is None and set(data.splits["val"].groups) < set("0123456789")


def test_too_few_images_to_split_are_refused():
    np.savez("p.npz", x=IMAGES[:6], y=np.array(["a", "b"] * 3))
    with pytest.raises(UserError, match=r"data\.test: cannot split 6 images"):
        prepare(Data(source="npz", path="p.npz", preprocessing=SMALL))


# Classes


def test_selected_classes_are_kept_in_their_order(npz):
    data = prepare(Data(**npz, labels=Labels(select=["emu", "cat"])))
    assert data.class_names == ["emu", "cat"]
    assert sum(sizes(data).values()) == 80
    for split in data.splits.values():
        positions = [int(name.removeprefix("train/")) for name in split.names]
        assert [data.class_names[label] for label in split.labels] == LABELS[positions].tolist()


def test_an_unknown_class_is_refused_with_the_closest(npz):
    with pytest.raises(
        UserError, match=r"data\.labels\.select: no class 'dogg'; did you mean 'dog'\?; classes: cat, dog, emu"
    ):
        prepare(Data(**npz, labels=Labels(select=["cat", "dogg"])))


def test_no_selection_selects_all(npz):
    source, _ = load_source(Data(**npz))
    assert select_classes(source, None) is source


# Preprocessing and faults


@pytest.fixture
def scans(images) -> dict:
    """The images of the shared fixture, two of them damaged."""
    (images / "disc" / "07.png").write_bytes(b"")
    whole = (images / "across" / "00.png").read_bytes()
    (images / "across" / "00.png").write_bytes(whole[:50])
    how = Preprocessing(size=[16, 12], framing="fit", invert="auto")
    return {"source": "image_folder", "path": str(images), "preprocessing": how}


def test_unreadable_images_are_left_out_and_reported(scans):
    data = prepare(Data(**scans))
    assert sum(sizes(data).values()) == 58
    assert dict(data.faults).keys() == {"disc/07.png", "across/00.png"}
    assert dict(data.faults)["disc/07.png"] == "the file is empty"
    names = [name for split in data.splits.values() for name in split.names]
    assert not {"disc/07.png", "across/00.png"} & set(names) and len(set(names)) == 58
    for split in data.splits.values():
        assert [name.split("/")[0] for name in split.names] == [data.class_names[label] for label in split.labels]


def test_unreadable_images_stop_the_run_with_on_corrupt_error(scans):
    with pytest.raises(RunError, match=r"(?s)2 images cannot be read.*disc/07\.png: the file is empty"):
        prepare(Data(**scans, on_corrupt="error"))


def test_a_split_without_readable_images_is_refused(images):
    for file in images.rglob("*.png"):
        file.write_text("no image")
    with pytest.raises(UserError, match="none of the 60 images can be read; the first is across/00.png"):
        prepare(Data(source="image_folder", path=str(images)))


def test_splits_have_the_size_and_channels_of_the_preprocessing(scans):
    how = Preprocessing(size=[16, 12], channels=3)
    for split in prepare(Data(**{**scans, "preprocessing": how})).splits.values():
        assert split.images.shape == (len(split), 16, 12, 3) and split.images.dtype == np.uint8


def test_a_second_preparation_is_the_same_and_decodes_nothing(scans):
    progress = []
    one = prepare(Data(**scans), lambda done, total: progress.append(done))
    assert progress == list(range(1, 61))
    other = prepare(Data(**scans), lambda done, total: progress.append(done))
    assert len(progress) == 60
    assert one.fingerprint == other.fingerprint and one.faults == other.faults
    assert np.array_equal(one.splits["train"].images, other.splits["train"].images)


# Fingerprint


def test_the_fingerprint_covers_images_labels_and_splits(npz):
    fingerprints = [
        prepare(Data(**npz)).fingerprint,
        prepare(Data(**npz, split_seed=1)).fingerprint,
        prepare(Data(**npz, validation=0.2)).fingerprint,
        prepare(Data(**npz, labels=Labels(select=["cat", "emu"]))).fingerprint,
        prepare(Data(**{**npz, "preprocessing": Preprocessing(size=[8, 8], invert=True)})).fingerprint,
        prepare(Data(**npz, class_names={"cat": "c", "dog": "d", "emu": "e"})).fingerprint,
    ]
    assert len(set(fingerprints)) == 6
    assert prepare(Data(**npz)).fingerprint == fingerprints[0]


def test_a_changed_image_changes_the_fingerprint(npz):
    before = prepare(Data(**npz)).fingerprint
    changed = IMAGES.copy()
    changed[5, 0, 0] ^= 1
    np.savez("p.npz", x=changed, y=LABELS)
    assert prepare(Data(**npz)).fingerprint != before


def test_the_place_of_the_data_does_not_change_the_fingerprint(npz):
    before = prepare(Data(**npz)).fingerprint
    Path("elsewhere").mkdir()
    Path("p.npz").rename("elsewhere/q.npz")
    assert prepare(Data(**{**npz, "path": "elsewhere/q.npz"})).fingerprint == before


def test_groups_of_names_are_not_those_of_a_stand_in():
    missing = {"source": "image_folder", "path": "nowhere", "groups": r"writer(\d+)"}
    assert len(prepare(Data(**missing, offline={"source": "digits"})).splits) == 3


def test_a_stand_in_is_described_in_one_sentence():
    data = prepare(Data(source="image_folder", path="nowhere", offline={"source": "digits"}))
    assert data.stand_in.startswith("'digits' stands in for 'image_folder nowhere': ") and "\n" not in data.stand_in
    assert sizes(data) == {"train": 1293, "val": 144, "test": 360}


def test_what_follows_from_the_data_is_computed_once_for_what_it_depends_on(npz):
    data, made = prepare(Data(**npz)), []

    def found(of: int) -> int:
        return data.once("double", lambda: made.append(of) or 2 * of, of)

    # The next run of the same data has its own object, which differs in the seconds alone.
    next_run = replace(data, seconds=1.0)
    assert (found(1), next_run.once("double", lambda: 0, 1), found(2), found(2), found(1)) == (2, 2, 4, 4, 2)
    assert made == [1, 2, 1]
