"""Rows of a table of images: which are used, their splits and their groups."""

import json

import pytest
from folder_trees import image_file, images
from tables import FILES, HEADER, ROWS, labelled, lines, load, prepared

from kerasexp.config.data_section import Data, DataSource
from kerasexp.data.dataset_statistics import survey
from kerasexp.data.prepared_data import prepare
from kerasexp.errors import UserError

# Rows that are not used


@pytest.mark.parametrize(
    ("row", "line"),
    [
        (["scans/0.png", ""], None),
        (["scans/8.png", ""], "not used: 1 of 9 rows of labels.csv without a label: scans/8.png"),
        (["scans/8.png", "NaN"], "not used: 1 of 9 rows of labels.csv without a label: scans/8.png"),
        (["", "cat"], "not used: 1 of 9 rows of labels.csv without a path: line 10"),
        (["scans/8.png"], "not used: 1 of 9 rows of labels.csv with too few or too many values: line 10"),
        (["a", "b", "c"], "not used: 1 of 9 rows of labels.csv with too few or too many values: line 10"),
        (ROWS[0], "not used: 1 of 9 rows of labels.csv that repeat another row: scans/0.png"),
        (["./scans/0.png", "dog"], "not used: 1 of 9 rows of labels.csv that repeat another row: ./scans/0.png"),
    ],
)
def test_a_row_that_is_not_used_is_named(made_table, row, line):
    path = made_table([HEADER, *ROWS, row])
    assert len(load(path).splits["train"]) == 8
    assert line is None or line in lines(path)


def test_an_empty_value_at_the_end_of_each_row_is_no_column(made_table):
    assert lines(made_table([HEADER, *([*row, ""] for row in ROWS)])) == []


def test_a_file_with_two_labels_is_left_out(made_table):
    content = images("scans", each=20)
    rows = [[path, "cat" if number % 2 else "dog"] for number, path in enumerate(content)]
    path = made_table([HEADER, *rows, ["scans/0.png", "cat"]], content)
    assert "0.png" not in labelled(load(path)) and len(load(path).splits["train"]) == 19
    assert lines(path) == [
        "not used: 2 of 21 rows of labels.csv whose file has another label in another row: scans/0.png (dog), scans/0.png (cat)",
        "not used: 1 file of rows that are not used: 0.png",
    ]


def test_a_table_of_several_labels_an_image_is_refused(made_table):
    rows = [*ROWS, *([path, "bird"] for path, _ in ROWS)]
    with pytest.raises(
        UserError, match="8 of 8 files have several labels, such as 0.png: dog, bird; data.multi_label: true keeps"
    ):
        load(made_table([HEADER, *rows]))


def test_images_and_files_that_are_in_no_row_are_counted(made_table):
    more = {"scans/new.png": image_file(99), "scans/notes.txt": b"", "scans/.DS_Store": b""}
    assert lines(made_table([HEADER, *ROWS], FILES | more)) == [
        "not used: 1 file that are images in no row of the table: new.png",
        "not used: 1 file of other types: 1 .txt",
        "not used: 1 file hidden or of macOS",
    ]


def test_labels_that_class_names_does_not_name_are_counted(made_table):
    rows = [[path, str(number % 3)] for number, (path, _) in enumerate(ROWS)]
    path, names = made_table([HEADER, *rows]), {"0": "zero", "2": "two"}
    assert load(path, class_names=names).class_names == ["zero", "two"]
    assert lines(path, class_names=names) == [
        "not used: 3 files of labels that data.class_names does not name: 1.png, 4.png, 7.png"
    ]
    with pytest.raises(UserError, match="data.class_names: 'one' is not in the data; stored labels: 0, 1, 2"):
        load(path, class_names={"one": "one", "2": "two"})


def test_labels_of_pandas_are_whole_numbers(made_table):
    rows = [[path, f"{number % 2}.0"] for number, (path, _) in enumerate(ROWS)]
    assert load(made_table([HEADER, *rows])).class_names == ["0", "1"]


def test_an_invalid_label_is_named_with_its_line(made_table):
    with pytest.raises(UserError, match="line 10 has the label 0.5; labels are words or integers"):
        load(made_table([HEADER, *ROWS, ["scans/0.png", "0.5"]]))


def test_the_manifest_names_every_missing_file(made_table):
    missing = [[f"scans/missing{n}.png", "cat"] for n in range(40)]
    record = prepared(made_table([HEADER, *ROWS, *missing])).accounting["data"]["table"]
    names = [path for path, _ in missing]
    reason = "whose file is not there"
    assert record == {"rows": 48, "used": 8, "left_out": [{"reason": reason, "rows": 40, "such_as": names}]}
    json.dumps(record)


# Splits and groups


@pytest.mark.parametrize(
    "names", [("train", "val", "test"), ("TRAINING", "Valid", "Testing"), ("Train", "validation", "TEST")]
)
def test_a_column_of_splits(made_table, names):
    rows = [[path, label, names[number // 4]] for number, (path, label) in enumerate(ROWS)]
    rows += [[path, label, names[2]] for path, label in ROWS[:2]]
    path = made_table([[*HEADER, "split"], *rows])
    assert {split: len(of) for split, of in load(path).splits.items()} == {"train": 4, "val": 4, "test": 2}
    data = prepare(Data(source="table", path=str(path)))
    assert [note for note in data.notes if ": 2 of the 2 of test are in train (" in note]


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        (["train", "holdout"], "line 3 has the split 'holdout'; allowed: train, training, val.*split: false"),
        (["val", "test"], "has rows of the splits test, val, and none of train"),
    ],
)
def test_invalid_splits_are_refused(made_table, values, reason):
    rows = [[path, label, values[number % 2]] for number, (path, label) in enumerate(ROWS)]
    with pytest.raises(UserError, match=reason):
        load(made_table([[*HEADER, "split"], *rows]))


def test_rows_without_a_split_are_left_out_and_a_single_split_is_all(made_table):
    rows = [[path, label, "test" if number < 6 else ""] for number, (path, label) in enumerate(ROWS)]
    path = made_table([[*HEADER, "split"], *rows])
    assert list(load(path).splits) == ["train"]
    assert lines(path)[:2] == [
        "the splits are the column 'split' (data.columns.split: false leaves it out)",
        "all rows are of the split test, and used as one set without splits",
    ]
    assert "not used: 2 of 8 rows of labels.csv without a split: scans/6.png, scans/7.png" in lines(path)


def test_images_of_one_group_stay_in_one_split(made_table):
    content = images("s", each=40)
    rows = [[path, "ab"[n % 2], f"w{n // 4}" if n < 36 else ""] for n, path in enumerate(content)]
    path = made_table([["image", "label", "group"], *rows], content)
    group = {f"{n}.png": row[2] for n, row in enumerate(rows)}
    data = prepared(path)
    splits = {name: {group[file] for file in split.names} - {""} for name, split in data.splits.items()}
    assert all(splits.values()) and sum(map(len, splits.values())) == 9
    assert "the groups are the column 'group' (data.columns.group: false leaves it out)" in data.notes
    # The regular expression of the experiment is an explicit choice.
    by_name = prepared(path, groups=r"(\d+)\.")
    assert sum(len(split) for split in by_name.splits.values()) == 40
    assert [split.names for split in by_name.splits.values()] != [split.names for split in data.splits.values()]


def test_groups_in_several_splits_of_the_table_are_named(made_table):
    rows = [
        [path, label, "train" if n < 4 else "test", "w1" if n in (0, 5) else f"v{n}"]
        for n, (path, label) in enumerate(ROWS)
    ]
    path = made_table([["image", "label", "split", "group"], *rows])
    line = "1 group with images in several splits: w1"
    assert prepared(path, test=None).notes.count(line) == 1
    # `new` names them as well.
    assert survey(DataSource(source="table", path=str(path)), lambda *_: None).notes.count(line) == 1


def test_missing_values_are_no_group(made_table):
    groups = ["w1", "NaN", "nan", "", "w1", "w2", "NaN", "w2"]
    path = made_table([["image", "label", "group"], *([*row, group] for row, group in zip(ROWS, groups, strict=True))])
    found = load(path).splits["train"].groups
    assert len(set(found)) == 6 and {group for group in found if not group.startswith("\0")} == {"w1", "w2"}
