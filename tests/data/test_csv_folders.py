"""Folders of CSV files, one for each split."""

import errno
from pathlib import Path

import numpy as np
import pytest

from kerasexp.config.data_section import DataSource
from kerasexp.data.sources.csv import load_csv, write_csv
from kerasexp.errors import UserError

IMAGES = np.random.default_rng(0).integers(0, 256, (12, 8, 8), np.uint8)
LABELS = np.arange(12) % 3


def test_a_csv_folder_has_one_file_per_split(tmp_path):
    (tmp_path / "mnist").mkdir()
    for split, part in (("train", slice(6)), ("val", slice(6, 9)), ("test", slice(9, 12))):
        write_csv(tmp_path / "mnist" / f"{split}.csv", IMAGES[part, ..., np.newaxis], LABELS[part].astype(str))
    source = load_csv(DataSource(source="csv", path="mnist"))
    assert {split: len(images) for split, images in source.splits.items()} == {"train": 6, "val": 3, "test": 3}
    assert np.array_equal(source.splits["test"].array[..., 0], IMAGES[9:])


def test_a_csv_folder_without_train_is_refused(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"has no train\.csv"):
        load_csv(DataSource(source="csv", path="empty"))


def test_files_of_splits_may_be_in_capitals():
    Path("tables").mkdir()
    for split in ("Train", "TEST"):
        Path("tables", f"{split}.CSV").write_text("label,a,b,c,d\nx,1,2,3,200\ny,2,3,4,5\n")
    assert set(load_csv(DataSource(source="csv", path="tables")).splits) == {"train", "test"}


def test_a_folder_that_cannot_be_listed_is_named(monkeypatch):
    Path("closed").mkdir()

    def refuse(folder: Path):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", refuse)
    with pytest.raises(UserError, match="closed: the folder cannot be listed: Permission denied"):
        load_csv(DataSource(source="csv", path="closed"))


def test_splits_may_have_the_other_names_of_folders_and_other_files_are_named():
    Path("tables").mkdir()
    for name in ("training.csv", "Validation.csv", "old.csv", "._train.csv", "notes.txt"):
        Path("tables", name).write_text("label,a,b,c,d\nx,1,2,3,200\ny,2,3,4,5\n")
    source = load_csv(DataSource(source="csv", path="tables"))
    assert list(source.splits) == ["train", "val"]
    assert source.notes == ("not used: 1 CSV file in tables: old.csv",)
    Path("tables", "val.csv").write_text("label,a,b,c,d\nx,1,2,3,200\n")
    with pytest.raises(UserError, match=r"tables: has both Validation\.csv and val\.csv, which are of one split"):
        load_csv(DataSource(source="csv", path="tables"))
