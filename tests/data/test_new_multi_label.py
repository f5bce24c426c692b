"""`new` finds several labels an image in a table, and writes an experiment that reads them."""

from pathlib import Path

import pytest
from folder_trees import images, write_folder
from tables import write_csv_table

from kerasexp.config import load_experiment
from kerasexp.console import Console, QuietConsole
from kerasexp.data.label_sets import label_text
from kerasexp.data.new_experiment import write_new_experiment
from kerasexp.data.new_source import find_source
from kerasexp.data.prepared_data import PreparedData, prepare
from kerasexp.errors import UserError

FILES = images("", each=24)
SETS = ["cat", "dog", "cat;dog", "dog;red fox", "red fox", "cat"]
LABELS = {path: SETS[number % 6] for number, path in enumerate(FILES)}
NAMES = ["cat", "dog", "red fox"]


def table(rows: list[list[str]]) -> Path:
    write_folder(Path("d"), FILES)
    return write_csv_table(Path("d/labels.csv"), rows)


def cells(mark: str, header: str = "labels") -> list[list[str]]:
    return [["image", header], *([path, own.replace(";", mark)] for path, own in LABELS.items())]


def flags(*more: str) -> list[list[str]]:
    names = [*NAMES, *more]
    rows = ([path, *(str(int(name in own.split(";"))) for name in names)] for path, own in LABELS.items())
    return [["image", *names], *rows]


def made(place: Path, label: str | None = None) -> tuple[PreparedData, str]:
    """Return the data of the experiment that `new` writes, and its text."""
    output = write_new_experiment(place, Path("written.yaml"), QuietConsole(), label)
    return prepare(load_experiment(output).data), output.read_text()


def label_sets(data: PreparedData) -> dict[str, str]:
    found = {}
    for split in data.splits.values():
        found |= {name: label_text(row, data.class_names) for name, row in zip(split.names, split.labels, strict=True)}
    return found


@pytest.mark.parametrize("mark", [";", "|", ", "])
def test_labels_in_one_cell(mark):
    data, text = made(table(cells(mark)))
    assert label_sets(data) == LABELS
    assert "multi_label: true" in text and "with 3 labels, several an image" in text
    assert load_experiment(Path("written.yaml")).training.loss.name == "binary_cross_entropy"


def test_spaces_separate_labels_in_a_column_with_such_a_name_only():
    rows = [[path, own.replace("red ", "").replace(";", " ")] for path, own in LABELS.items()]
    assert find_source(table([["image", "tags"], *rows]), None)[0].multi_label
    assert not find_source(table([["image", "label"], *rows]), None)[0].multi_label


def test_columns_of_0_and_1():
    data, text = made(table(flags()))
    assert label_sets(data) == LABELS and "multi_label: true" in text


def test_columns_of_0_alone_are_left_out():
    source, notes = find_source(table(flags("wolf")), None)
    assert source.columns.label == NAMES
    assert notes == [
        "several labels an image: the columns cat, dog, red fox hold 0 and 1 (wolf only 0, which is left out) "
        "(data.multi_label)"
    ]
    assert made(Path("d/labels.csv"))[0].class_names == NAMES


def test_one_label_an_image_in_columns_of_0_and_1_is_said():
    one = [[path, *(str(int(n == number % 3)) for n in range(3))] for number, path in enumerate(FILES)]
    _, notes = find_source(table([["image", *NAMES], *one]), None)
    assert "each image has exactly one of them" in notes[0]


def test_several_rows_an_image():
    rows = [[path, name] for path, own in LABELS.items() for name in own.split(";")]
    data, text = made(table([["image", "label"], *rows]))
    assert label_sets(data) == LABELS and "multi_label: true" in text


@pytest.mark.parametrize("label", [None, "labels"])
def test_the_column_is_given_or_found(label):
    source, _ = find_source(table(cells(";")), label)
    assert source.multi_label and source.columns.separator == ";" and source.columns.label == label


def test_one_label_an_image_stays_one():
    rows = [[path, ["tench, Tinca tinca", "red fox", "dog"][n % 3]] for n, path in enumerate(FILES)]
    data, text = made(table([["image", "label"], *rows]))
    assert data.class_names == ["dog", "red fox", "tench, Tinca tinca"] and "multi_label" not in text


def test_columns_of_0_and_1_beside_class_folders_may_be_anything():
    content = images("cat", "dog", each=8)
    write_folder(Path("d"), content)
    rows = [[path, str(n % 2), str(n % 3 // 2)] for n, path in enumerate(content)]
    write_csv_table(Path("d/meta.csv"), [["path", "blurred", "dark"], *rows])
    source, notes = find_source(Path("d"), None)
    assert source.source == "image_folder"
    assert notes == ["not used: the table meta.csv, which has columns of 0 and 1; `new d/meta.csv` takes them"]


def test_labels_beside_a_folder_say_that_they_are_several(capsys):
    table(cells(";"))
    write_new_experiment(Path("d"), None, Console())
    output = capsys.readouterr().out
    assert "the labels are in the table labels.csv" in output
    assert "several labels an image: cells such as 'cat;dog' have several (data.multi_label)" in output
    assert "train: 24 images with 3 labels, 8 to 12 images for each, 1.3 labels an image" in output


def test_a_rare_label_is_no_error_and_the_splits_that_lack_it_are_named(capsys):
    rows = cells(";")
    rows[1][1] = "cat;bird"
    write_new_experiment(table(rows), None, Console())
    assert "test will have no image of bird (1)" in capsys.readouterr().out
    assert "bird" in made(Path("d/labels.csv"))[0].class_names


def test_a_label_whose_images_cannot_be_read_is_refused():
    rows = cells(";")
    rows[1][1] = "bird"
    place = table(rows)
    Path("d", rows[1][0]).write_bytes(b"")
    with pytest.raises(UserError, match=r"labels without an image that can be read: bird \(0\)"):
        write_new_experiment(place, None, QuietConsole())


@pytest.mark.slow
def test_from_new_to_predict(cli):
    table(cells(";"))
    assert cli("new", "d").code == 0
    assert cli("check", "d.yaml").code == 0
    answer = cli("run", "d.yaml", "--set", "training.epochs=1", "--set", "report.plots=false", "--run-dir", "r")
    assert answer.code == 0, answer.err
    answer = cli("predict", "r", "d", "--format", "csv")
    assert answer.code == 0 and len(answer.out.splitlines()) == 25
