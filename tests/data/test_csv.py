"""CSV files of images: accepted formats and errors."""

import csv
from pathlib import Path

import numpy as np
import pytest

from kerasexp.config.data import DataSource
from kerasexp.data.source import MissingData
from kerasexp.data.sources.csv import load_csv, read_csv, write_csv
from kerasexp.errors import UserError

GENERATOR = np.random.default_rng(0)
IMAGES = GENERATOR.integers(0, 256, (12, 8, 8), np.uint8)
LABELS = np.arange(12) % 3


@pytest.mark.parametrize("shape", [(8, 8, 1), (4, 16, 1), (4, 4, 3), (1, 2, 1)], ids=str)
def test_written_csv_is_read_unchanged(shape):
    images = GENERATOR.integers(0, 256, (5, *shape), np.uint8)
    labels = ["0", "word", "with, comma", "ünï", "10"]
    write_csv(Path("p.csv"), images, labels)
    read, read_labels = read_csv(Path("p.csv"))
    assert np.array_equal(read, images) and read.dtype == np.uint8
    assert read_labels.tolist() == labels


def test_csv_without_a_header_has_the_label_first():
    Path("p.csv").write_text("7,0,1,2,3\n8,4,5,6,255\n")
    images, labels = read_csv(Path("p.csv"))
    assert labels.tolist() == ["7", "8"]
    assert images[..., 0].tolist() == [[[0, 1], [2, 3]], [[4, 5], [6, 255]]]


def test_csv_with_a_header_has_the_label_anywhere():
    Path("p.csv").write_text("a,b,label,c,d\n0,1,cat,2,3\n0,1,dog,2,200\n")
    images, labels = read_csv(Path("p.csv"))
    assert labels.tolist() == ["cat", "dog"]
    assert images[0, ..., 0].tolist() == [[0, 1], [2, 3]]


def test_csv_as_spreadsheets_write_it_is_read():
    """Excel's `CSV UTF-8` begins with a byte order mark and ends its lines with \\r\\n."""
    Path("p.csv").write_bytes(b"\xef\xbb\xbflabel,a,b,c,d\r\n7,0,1,2,3\r\n8,0,1,2,200\r\n")
    assert read_csv(Path("p.csv"))[1].tolist() == ["7", "8"]


def test_csv_with_numbers_as_the_names_of_its_columns_has_a_header():
    Path("p.csv").write_text("label,0,1,2,3\n7,4,5,6,7\n8,0,1,2,3\n")
    images, labels = read_csv(Path("p.csv"))
    assert labels.tolist() == ["7", "8"] and images[0].ravel().tolist() == [4, 5, 6, 7]


def test_csv_in_quotes_and_with_spaces_is_read():
    Path("p.csv").write_bytes(b'"7","0","1","2","3"\r\n"8", 4, 5, 6, 7\r\n\r\n')
    images, labels = read_csv(Path("p.csv"))
    assert labels.tolist() == ["7", "8"] and images[1].ravel().tolist() == [4, 5, 6, 7]


def test_csv_labels_with_a_decimal_zero_are_integers():
    Path("p.csv").write_text("7.0,0,1,2,3\n8.0,0,1,2,3\n08,0,1,2,3\n7,0,1,2,3\n")
    assert read_csv(Path("p.csv"))[1].tolist() == ["7", "8", "08", "7"]


def test_csv_of_fractions_becomes_uint8():
    Path("p.csv").write_text("7,0,0.2,0.4,1.0\n")
    assert read_csv(Path("p.csv"))[0].ravel().tolist() == [0, 51, 102, 255]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("7,0,1,2,3\n8,0,1,2\n", "line 2 has 4 values; 5 are expected"),
        ("label,a,b,c,d\n7,0,1,2,3\n8,0,1,2,3,4\n", "line 3 has 6 values"),
        ("7,0,1,2,3\n8,0,1,x,3\n", "line 2 contains 'x', which is not a number"),
        ("7,0,1,2,3\n\n\n8,0,1,x,3\n", "line 4 contains 'x'"),
        ("7,0,1,2,3\n\n8,0,1\n", "line 3 has 3 values"),
        ("label,a,b,c,d\n7,0,1,,3\n", "line 2 contains '', which is not a number"),
        ("7,0,1,2,3\n7,0,1,2,256\n", "line 2 has the pixel 256; pixels are 0 to 255, or 0.0 to 1.0"),
        ("7,0,1,2,3\n\n7,0,1,2,-1\n", "line 3 has the pixel -1"),
        ("label,a,b,c,d\n7,0,1,2,nan\n", "line 2 has the pixel nan"),
        ("7,0,1,2,1e999\n", "line 1 has the pixel inf"),
        ("7,0,1,2\n", "3 pixels per line form neither a square"),
        ("label,pixel_0_0,pixel_0_1,pixel_3_3\n7,0,1,2\n", "3 pixels per line form neither a square"),
        ("label,pixel_0_0,pixel_1_0,pixel_0_1,pixel_1_1\n7,1,2,3,4\n", "not in order"),
        ("7,0,1,2,3\n,0,1,2,3\n", "line 2 has no label"),
        ("7,0,1,2,3\nNaN,0,1,2,3\n", "line 2 has no label"),
        ("a,b,label,c,d\n0,1,7,2,3\n0,1,7.5,2,3\n", "line 3 has the label 7.5; labels are words or integers"),
        ("7,0,1,2,3\n-1,0,1,2,3\n", "line 2 has the label -1"),
        ('7,0,1,2,3\n"8,0,1,2,3\n', "line 2 has 1 values"),
        ("7\t0\t1\t2\t3\n8\t0\t1\t2\t3\n", "without a column 'label'"),
        (",".join(map(str, range(65))) + "\n", "has no line with pixels"),
        (",".join(map(str, range(65))) + "\n" + "7," * 64 + "7\n", "without a column 'label'"),
        ("class,a,b,c,d\n7,0,1,2,3\n", "without a column 'label'"),
        ("label;a;b;c;d\n7;0;1;2;3\n", "without a column 'label'"),
        ("label\ncat\ndog\n", "pixels"),
        ("7\n8\n", "pixels"),
        ("label,a,b,c,d\n", "has no line with pixels"),
        ("", "has no line with pixels"),
        (b"\xff\xfe\x00", "cannot be read as CSV"),
        ("7," + "1" * 200_000, "cannot be read as CSV"),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_invalid_csv_is_refused(text, reason):
    Path("p.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(UserError, match=reason):
        read_csv(Path("p.csv"))


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


def test_a_missing_csv_is_missing_data():
    with pytest.raises(MissingData, match=r"'nowhere\.csv'"):
        load_csv(DataSource(source="csv", path="nowhere.csv"))


def test_csv_labels_can_be_given_names():
    with Path("p.csv").open("w", newline="") as file:
        csv.writer(file).writerows([[label, 1, 2, 3, 4] for label in (1, 2, 3)])
    source = load_csv(DataSource(source="csv", path="p.csv", class_names={"3": "drei", "1": "eins"}))
    assert source.class_names == ["drei", "eins"] and source.splits["train"].labels.tolist() == [1, 0]
    assert source.splits["train"].names == ["train/00000", "train/00002"]
