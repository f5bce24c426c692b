"""Several labels an image, from tables and from arrays."""

import csv
import importlib.util
from pathlib import Path

import numpy as np
import pytest
from digit_pairs import digit_pairs
from tables import FILES, load, prepared, write_csv_table

from kerasexp.config.data_section import DataSource
from kerasexp.data.label_sets import label_text
from kerasexp.data.sources import SOURCES
from kerasexp.errors import UserError
from kerasexp.evaluation.label_predictions import format_labels, label_predictions

PATHS = list(FILES)
SETS = ["cat;dog", "dog", "cat", "", "cat;dog;horse", "horse", "dog;horse", "cat"]
NAMES = ["cat", "dog", "horse"]
FLAGS = [[str(int(name in labels.split(";"))) for name in NAMES] for labels in SETS]


def several(source, split="train") -> dict[str, str]:
    images = source.splits[split]
    assert images.labels.dtype == np.uint8 and images.labels.shape == (len(images), len(source.class_names))
    texts = (label_text(row, source.class_names) for row in images.labels)
    return {name.removeprefix("scans/"): text for name, text in zip(images.names, texts, strict=True)}


def expected(sets=SETS, empty: bool = True) -> dict[str, str]:
    named = (path.removeprefix("scans/") for path in PATHS)
    return {path: text for path, text in zip(named, sets, strict=True) if text or empty}


@pytest.mark.parametrize(
    ("mark", "word"), [(";", "semicolons"), ("|", "vertical bars"), (", ", "commas"), (" ", "spaces")]
)
def test_labels_in_one_cell(made_table, mark, word):
    path = made_table([["image", "labels"], *([p, s.replace(";", mark)] for p, s in zip(PATHS, SETS, strict=True))])
    source = load(path, multi_label=True)
    assert several(source) == expected(empty=False) and source.class_names == NAMES
    said = list(source.accounting.lines())
    assert "not used: 1 of 8 rows of labels.csv without a label: scans/3.png" in said
    assert f"the labels in a cell are separated by {word} (data.columns.separator)" in said


def test_the_answers_of_predict_are_a_table_that_is_read_again(made_table):
    scores = np.array(FLAGS, np.float32)
    answers = format_labels(list(label_predictions(PATHS, scores, NAMES, np.full(3, 0.5), top=2)), "csv")
    source = load(made_table(list(csv.reader(answers.splitlines()))), multi_label=True)
    assert several(source) == expected() and source.class_names == NAMES


def test_a_given_separator_and_names_with_the_others_in_them(made_table):
    path = made_table(
        [
            ["image", "labels"],
            *([p, s.replace(";", "/").replace("cat", "a cat")] for p, s in zip(PATHS, SETS, strict=True)),
        ]
    )
    source = load(path, multi_label=True, columns={"separator": "/"})
    assert source.class_names == ["a cat", "dog", "horse"]


def test_columns_of_0_and_1_are_found_and_an_image_may_have_none(made_table):
    path = made_table([["image", *NAMES], *([p, *row] for p, row in zip(PATHS, FLAGS, strict=True))])
    source = load(path, multi_label=True)
    assert several(source) == expected()
    assert "the labels are the columns of 0 and 1: 'cat', 'dog', 'horse'" in "\n".join(source.accounting.lines())


def test_named_columns_of_0_and_1_are_classes_even_if_no_image_has_them(made_table):
    rows = [[p, *row, "0", "text"] for p, row in zip(PATHS, FLAGS, strict=True)]
    path = made_table([["image", *NAMES, "bird", "remark"], *rows])
    source = load(path, multi_label=True, columns={"label": ["dog", "bird"]})
    assert source.class_names == ["bird", "dog"] and several(source)["0.png"] == "dog"


def test_rows_of_one_image_are_joined(made_table):
    rows = [[p, label] for p, labels in zip(PATHS, SETS, strict=True) for label in labels.split(";") if label]
    source = load(made_table([["image", "label"], *rows]), multi_label=True)
    assert several(source) == expected(empty=False)
    assert "4 rows with further labels of an image, or with the same ones again" in source.accounting.lines()


def test_names_of_classes_leave_other_labels_out_and_keep_their_images(made_table):
    path = made_table([["image", "labels"], *zip(PATHS, SETS, strict=True)])
    source = load(path, multi_label=True, class_names={"dog": "Hund", "cat": "Katze"})
    assert source.class_names == ["Hund", "Katze"] and several(source)["4.png"] == "Hund;Katze"
    assert several(source)["5.png"] == "" and source.folders == {"dog": "Hund", "cat": "Katze"}


def test_numbers_are_labels(made_table):
    path = made_table([["image", "labels"], *([p, f"{n}.0 10"] for n, p in enumerate(PATHS))])
    assert load(path, multi_label=True).class_names == [str(n) for n in range(8)] + ["10"]


@pytest.mark.parametrize(
    ("rows", "keys", "message"),
    [
        ([["image", "label"], *([p, "0.37"] for p in PATHS)], {}, "line 2 has the label 0.37; .*it does no regression"),
        (
            [["image", "cat", "dog"], *([p, "1", "0.5"] for p in PATHS)],
            {"columns": {"label": ["cat", "dog"]}},
            "line 2 has '0.5' in the column 'dog'; labels are 0 or 1. kerasexp classifies images; it does no regression",
        ),
        (
            [["image", "cat", "dog"], *([p, "1", ""] for p in PATHS)],
            {"columns": {"label": ["cat", "dog"]}},
            "line 2 has nothing in the column 'dog'",
        ),
        ([["image", "labels"], *([p, "a;b|c"] for p in PATHS)], {"columns": {"separator": "|"}}, "'a;b' has a ';'"),
        (
            [["image", "cat", "dog"], *([p, "1", "0"] for p in PATHS)],
            {"columns": {"label": ["cat", "dgo"]}},
            r"data.columns.label: no column 'dgo'; did you mean 'dog'\?",
        ),
    ],
)
def test_what_is_no_set_of_labels_is_refused_with_its_line(made_table, rows, keys, message):
    with pytest.raises(UserError, match=message):
        load(made_table(rows), multi_label=True, **keys)


def test_a_table_of_one_label_an_image_says_what_looks_like_several(made_table):
    rows = [[p, labels or "none"] for p, labels in zip(PATHS, SETS, strict=True)]
    said = "\n".join(load(made_table([["image", "label"], *rows])).accounting.lines())
    assert "labels such as 'cat;dog' look like several labels an image; data.multi_label: true reads them so" in said
    plain = [[p, f"Smith, {'AB'[n % 2]}."] for n, p in enumerate(PATHS)]
    assert "several" not in "\n".join(load(made_table([["image", "label"], *plain])).accounting.lines())


def test_splits_of_the_table_and_held_out_ones(made_table):
    splits = ["train"] * 5 + ["val", "test", "test"]
    path = made_table([["image", "labels", "split"], *zip(PATHS, SETS, splits, strict=True)])
    assert {k: len(s) for k, s in prepared(path, test=None, multi_label=True).splits.items()} == {
        "train": 4,
        "val": 1,
        "test": 2,
    }


@pytest.mark.skipif(importlib.util.find_spec("pyarrow") is None, reason="pyarrow is not installed")
def test_lists_of_labels_in_parquet(made_table):
    import pyarrow
    import pyarrow.parquet

    path = made_table([["image", "label"], *([p, "x"] for p in PATHS)]).with_suffix(".parquet")
    lists = [labels.split(";") if labels else [] for labels in SETS]
    pyarrow.parquet.write_table(pyarrow.table({"image": PATHS, "labels": lists}), path)
    # An empty list is an image without labels; a missing one is not.
    assert several(load(path, multi_label=True)) == expected()
    lists[0] = None
    pyarrow.parquet.write_table(pyarrow.table({"image": PATHS, "labels": lists}), path)
    source = load(path, multi_label=True)
    assert several(source) == {name: text for name, text in expected().items() if name != "0.png"}
    assert "not used: 1 of 8 rows of labels.parquet without a label: scans/0.png" in source.accounting.lines()


@pytest.mark.skipif(importlib.util.find_spec("pyarrow") is None, reason="pyarrow is not installed")
def test_an_empty_list_is_no_label_where_an_image_has_one(made_table):
    import pyarrow
    import pyarrow.parquet

    path = made_table([["image", "label"], *([p, "x"] for p in PATHS)]).with_suffix(".parquet")
    lists = [[], *(["cat"] if number % 2 else ["dog"] for number in range(7))]
    pyarrow.parquet.write_table(pyarrow.table({"image": PATHS, "labels": lists}), path)
    source = load(path)
    assert source.class_names == ["cat", "dog"] and len(source.splits["train"]) == 7


def npz(**arrays) -> DataSource:
    np.savez("a.npz", **arrays)
    return DataSource(source="npz", path=str(Path("a.npz").absolute()), multi_label=True)


def test_arrays_of_0_and_1():
    images, labels = digit_pairs(30)
    labels[:, 7] = 0
    for y in (labels, labels.astype(bool), labels.astype(float)):
        source = SOURCES["npz"](npz(x=images, y=y))
        found = dict(zip(source.splits["train"].names, source.splits["train"].labels, strict=True))
        assert source.class_names == [str(n) for n in range(10)]
        assert np.array_equal([found[f"train/{i:05d}"] for i in range(30)], labels)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda y: y * 0.37, "train: image 0 has 0.37 for class .; labels are 0 or 1. .*it does no regression"),
        (lambda y: y[:, 0], r"labels have shape \(30,\); data.multi_label needs \[30, classes\], of 0 and 1"),
        (lambda y: y.astype(str), "labels of type <U.*; data.multi_label needs 0 and 1"),
        (lambda y: y[:20], r"labels have shape \(20, 10\)"),
    ],
)
def test_other_arrays_are_refused(change, message):
    images, labels = digit_pairs(30)
    with pytest.raises(UserError, match=message):
        SOURCES["npz"](npz(x=images, y=change(labels)))


def test_splits_of_different_numbers_of_classes_are_refused():
    images, labels = digit_pairs(30)
    with pytest.raises(UserError, match="different numbers of classes: 10 in train, 9 in test"):
        SOURCES["npz"](npz(x_train=images, y_train=labels, x_test=images, y_test=labels[:, :9]))


def test_arrays_of_several_labels_name_the_key_that_reads_them():
    images, labels = digit_pairs(30)
    source = npz(x=images, y=labels).model_copy(update={"multi_label": False})
    with pytest.raises(UserError, match="several labels an image, each 0 or 1, need data.multi_label: true"):
        SOURCES["npz"](source)


def test_a_test_split_of_another_table_has_the_classes_of_train(made_table):
    rows = [["image", "labels"], *zip(PATHS, SETS, strict=True)]
    path = made_table(rows)
    other = write_csv_table(
        path.with_name("other.csv"), [["image", "labels"], [PATHS[0], "horse;bird"], [PATHS[1], "cat;dog"]]
    )
    test = DataSource(source="table", path=str(other), multi_label=True)
    data = prepared(path, multi_label=True, test=test)
    split = data.splits["test"]
    assert {name: label_text(row, data.class_names) for name, row in zip(split.names, split.labels, strict=True)} == {
        "0.png": "horse",
        "1.png": "cat;dog",
    }


def test_columns_of_0_and_1_name_the_key_that_reads_them(made_table):
    path = made_table([["image", *NAMES], *([p, *row] for p, row in zip(PATHS, FLAGS, strict=True))])
    with pytest.raises(UserError, match="or multi_label: true, for the columns of 0 and 1, 'cat', 'dog', 'horse'"):
        load(path)
