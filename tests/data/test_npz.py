"""NumPy archives of images: accepted formats and errors."""

import zipfile
from pathlib import Path

import numpy as np
import pytest

from kerasexp.config.data_section import DataSource
from kerasexp.data import image_zip_checks
from kerasexp.data.source import MissingData
from kerasexp.data.sources.npz import load_npz, read_splits
from kerasexp.errors import UserError

GENERATOR = np.random.default_rng(0)
IMAGES = GENERATOR.integers(0, 256, (12, 8, 8), np.uint8)
LABELS = np.arange(12) % 3
LABELS_AT_5 = np.arange(12) == 5
THE_FIFTH = LABELS_AT_5[:, None, None]


def npz(path: Path = Path("images.npz"), **arrays) -> Path:
    np.savez_compressed(path, **arrays)
    return path


def test_npz_of_train_and_test():
    npz(x_train=IMAGES, y_train=LABELS, x_test=IMAGES[:3], y_test=LABELS[:3], x_val=IMAGES[3:6], y_val=LABELS[3:6])
    source = load_npz(DataSource(source="npz", path="images.npz"))
    assert list(source.splits) == ["train", "val", "test"]
    assert source.class_names == ["0", "1", "2"]
    assert np.array_equal(source.splits["train"].array[..., 0], IMAGES)
    assert np.array_equal(source.splits["train"].labels, LABELS)


def test_splits_may_have_the_other_names_of_folders_and_other_arrays_are_named():
    npz(x_training=IMAGES, y_training=LABELS, x_valid=IMAGES[:3], y_valid=LABELS[:3], ids=LABELS, x_extra=IMAGES)
    source = load_npz(DataSource(source="npz", path="images.npz"))
    assert {split: len(images) for split, images in source.splits.items()} == {"train": 12, "val": 3}
    assert source.notes == ("not used: 2 arrays of images.npz: ids, x_extra",)


@pytest.mark.parametrize(
    ("images", "shape"),
    [
        (IMAGES, (12, 8, 8, 1)),
        (IMAGES[..., np.newaxis], (12, 8, 8, 1)),
        (np.repeat(IMAGES[..., np.newaxis], 3, axis=3), (12, 8, 8, 3)),
        (IMAGES.astype(np.int64), (12, 8, 8, 1)),
        (IMAGES.astype(np.float32), (12, 8, 8, 1)),
        (IMAGES / 255, (12, 8, 8, 1)),
        ((IMAGES / 255).astype(np.float32), (12, 8, 8, 1)),
    ],
    ids=["grey", "one channel", "colour", "int64", "float to 255", "float to 1", "float32 to 1"],
)
def test_npz_of_any_kind_of_number_gives_uint8(images, shape):
    splits, value_range, _ = read_splits(npz(x=images, y=LABELS))
    read, _ = splits["train"]
    assert value_range is None or value_range.bounds == (0, 1)
    assert read.dtype == np.uint8 and read.shape == shape
    assert np.array_equal(read[..., 0], IMAGES)


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        (LABELS[:, np.newaxis], ["0", "1", "2"]),
        (np.array(["cat", "dog"] * 6), ["cat", "dog"]),
        (np.array([2, 10, 1] * 4), ["1", "2", "10"]),
        (np.array(["img10", "img9"] * 6), ["img9", "img10"]),
        (np.array([0.0, 7.0, 10.0] * 4), ["0", "7", "10"]),
        (np.array(["007", "08", "9.0"] * 4), ["007", "08", "9"]),
        (np.array(["é".encode(), b"e"] * 6), ["e", "é"]),
        (np.array([True, False] * 6), ["False", "True"]),
    ],
    ids=["a column", "words", "numbers", "numbered words", "floats", "digits", "bytes", "truth"],
)
def test_npz_labels_are_class_names_in_natural_order(labels, names):
    npz(x=IMAGES, y=labels)
    assert load_npz(DataSource(source="npz", path="images.npz")).class_names == names


@pytest.mark.parametrize(
    ("arrays", "reason"),
    [
        ({"x": np.array([None, "a"], dtype=object), "y": LABELS[:2]}, "cannot be read as a NumPy archive"),
        ({"x": IMAGES, "y": np.array([{}] * 12, dtype=object)}, "cannot be read as a NumPy archive"),
        (
            {"x": np.where(THE_FIFTH, np.nan, IMAGES), "y": LABELS},
            "train: data.range: image 5 has the pixel nan, which is not a number",
        ),
        ({"x": np.where(THE_FIFTH, np.inf, IMAGES), "y": LABELS}, "train: data.range: image 5 has the pixel inf"),
        (
            {"x": np.where(THE_FIFTH, 256, IMAGES.astype(int)), "y": LABELS},
            "train: data.range: image 5 has the pixel 256",
        ),
        (
            {"x": np.where(THE_FIFTH, -1, IMAGES.astype(int)), "y": LABELS},
            "train: data.range: image 5 has the pixel -1",
        ),
        ({"x": np.where(THE_FIFTH, -0.5, IMAGES / 255), "y": LABELS}, "train: data.range: image 5 has the pixel -0.5"),
        ({"x": IMAGES.astype(complex), "y": LABELS}, "numbers"),
        ({"x": IMAGES.astype("timedelta64[s]"), "y": LABELS}, "numbers"),
        ({"x": IMAGES.astype(str), "y": LABELS}, "numbers"),
        ({"x": IMAGES.reshape(12, 64), "y": LABELS}, r"shape \(12, 64\)"),
        ({"x": np.stack([IMAGES] * 2, axis=3), "y": LABELS}, r"shape \(12, 8, 8, 2\)"),
        ({"x": IMAGES[:0], "y": LABELS[:0]}, r"shape \(0, 8, 8, 1\)"),
        ({"x": np.uint8(3), "y": LABELS}, r"shape \(\)"),
        ({"x": IMAGES, "y": LABELS[:5]}, r"labels have shape \(5,\); \[12\] is needed"),
        ({"x": IMAGES, "y": np.eye(12)}, r"labels have shape \(12, 12\)"),
        ({"images": IMAGES, "labels": LABELS}, "contains images, labels; x_train and y_train"),
        ({"x_train": IMAGES, "y_test": LABELS}, "has x_train and no y_train; a split needs both"),
        ({"x_train": IMAGES, "y_train": LABELS, "y_testing": LABELS}, "has y_testing and no x_testing"),
        (
            {"x_train": IMAGES, "y_train": LABELS, "x_val": IMAGES, "x_valid": IMAGES},
            "has both x_val and x_valid, which are of one split",
        ),
        ({"x_test": IMAGES, "y_test": LABELS}, "x_train and y_train"),
        ({}, "contains nothing"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_invalid_npz_is_refused(arrays, reason):
    with pytest.raises(UserError, match=reason):
        read_splits(npz(**arrays))


@pytest.mark.parametrize(
    ("labels", "reason"),
    [
        (np.where(LABELS_AT_5, np.nan, LABELS), "train: image 5 has no label"),
        (np.where(LABELS_AT_5, np.inf, LABELS), "train: image 5 has the label inf"),
        (
            np.where(LABELS_AT_5, 1.5, LABELS),
            "train: image 5 has the label 1.5; labels are words or integers from 0",
        ),
        (np.where(LABELS_AT_5, -1, LABELS), "train: image 5 has the label -1"),
        (np.where(LABELS_AT_5, "", "word"), "train: image 5 has no label"),
        (np.where(LABELS_AT_5, "NaN", "word"), "train: image 5 has no label"),
        (np.where(LABELS_AT_5, "-1", "1"), "train: image 5 has the label -1"),
        (LABELS.astype(complex), "labels of type complex128"),
        (LABELS.astype("timedelta64[s]"), "labels of type"),
        (np.zeros(12, [("a", int)]), "labels of type"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_invalid_npz_labels_are_refused_with_the_image(labels, reason):
    with pytest.raises(UserError, match=reason):
        read_splits(npz(x=IMAGES, y=labels))


def test_npz_that_declares_more_than_any_memory_is_refused():
    whole = npz(x=IMAGES, y=LABELS)
    with zipfile.ZipFile(whole) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    members["x.npy"] = members["x.npy"].replace(b"(12, 8, 8), }" + b" " * 12, b"(12000000000000, 8, 8), }")
    with zipfile.ZipFile(whole, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    with pytest.raises(UserError, match="cannot be read as a NumPy archive"):
        read_splits(whole)


def test_arrays_that_unpack_to_far_more_than_the_file_has_are_refused(monkeypatch):
    monkeypatch.setattr(image_zip_checks, "MAX_TOTAL", 10**6)
    blank = np.zeros((12, 1000, 1000), np.uint8)
    with pytest.raises(UserError, match=r"unpacks from [\d,]+ to 12,[\d,]+ bytes, as a zip bomb does"):
        read_splits(npz(x=blank, y=LABELS))
    splits = read_splits(npz(x=IMAGES, y=LABELS, not_used=blank))[0]
    assert len(splits["train"][0]) == 12


def test_arrays_in_an_unusual_compression_are_refused():
    """Nothing bounds what a step of unpacking gives then."""
    whole = npz(x=IMAGES, y=LABELS)
    with zipfile.ZipFile(whole) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_BZIP2) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    with pytest.raises(UserError, match=r"'x\.npy' is not stored \(0\) or deflated \(8\)"):
        read_splits(whole)


def test_other_files_are_refused(tmp_path):
    whole = npz(x=IMAGES, y=LABELS).read_bytes()
    path = tmp_path / "file.npz"
    for content in (b"", b"hello", whole[:200], whole[:-10]):
        path.write_bytes(content)
        with pytest.raises(UserError, match="cannot be read as a NumPy archive"):
            read_splits(path)
    with pytest.raises(UserError, match="cannot be read as a NumPy archive"):
        read_splits(tmp_path)


@pytest.mark.parametrize("at", [60, 100, 200])
def test_a_damaged_npz_is_refused(at):
    path = npz(x=IMAGES, y=LABELS)
    content = bytearray(path.read_bytes())
    content[at : at + 20] = b"\xa5" * 20
    path.write_bytes(content)
    with pytest.raises(UserError, match="cannot be read as a NumPy archive"):
        read_splits(path)


def test_a_single_array_is_refused():
    np.save("images.npy", IMAGES)
    with pytest.raises(UserError, match="cannot be read as a NumPy archive"):
        read_splits(Path("images.npy"))


def test_an_archive_of_other_files_is_refused():
    with zipfile.ZipFile("images.npz", "w") as archive:
        archive.writestr("x", "no array")
        archive.writestr("y", "no array")
    with pytest.raises(UserError):
        read_splits(Path("images.npz"))


def test_a_missing_npz_is_missing_data():
    with pytest.raises(MissingData, match=r"'nowhere\.npz' is not at "):
        load_npz(DataSource(source="npz", path="nowhere.npz"))


def test_npz_is_found_in_the_data_folder(tmp_path, monkeypatch):
    (tmp_path / "data").mkdir()
    npz(tmp_path / "data" / "images.npz", x=IMAGES, y=LABELS)
    monkeypatch.setenv("KERASEXP_DATA", str(tmp_path / "data"))
    assert len(load_npz(DataSource(source="npz", path="images.npz")).splits["train"]) == 12


def test_the_error_for_channels_that_come_first_says_how_to_move_them():
    with pytest.raises(UserError, match=r"\(12, 3, 8, 8\).*moveaxis\(images, 1, -1\)"):
        read_splits(npz(x=np.repeat(IMAGES[:, np.newaxis], 3, axis=1), y=LABELS))
