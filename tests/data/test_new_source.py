"""`new` finds the table of images in or beside their folder, or takes their class folders."""

import errno
import os
import sys
from pathlib import Path

import pytest
from folder_trees import images, write_folder, write_zip
from tables import write_csv_table

from kerasexp.config import load_experiment
from kerasexp.console import QuietConsole
from kerasexp.data.new_experiment import write_new_experiment
from kerasexp.data.new_source import find_source
from kerasexp.data.prepared_data import PreparedData, prepare
from kerasexp.errors import UserError

HEADER = ["image", "label"]
FLAT = images("", each=24)


def rows(content, prefix: str = "") -> list[list[str]]:
    return [HEADER, *([prefix + os.path.basename(path), "ab"[n % 2]] for n, path in enumerate(content))]


def made(place: Path | str, label: str | None = None) -> tuple[PreparedData, str]:
    """Return the data of the experiment that `new` writes, and its text."""
    output = write_new_experiment(Path(place), Path("written.yaml"), QuietConsole(), label)
    text = output.read_text()
    output.unlink()
    Path("written.yaml").write_text(text)
    return prepare(load_experiment(output).data), text


def test_a_table_with_images_at_its_paths():
    write_folder(Path("d/i"), FLAT)
    write_csv_table(Path("d/labels.csv"), rows(FLAT, "i/"))
    data, text = made("d/labels.csv")
    assert data.class_names == ["a", "b"] and sum(map(len, data.splits.values())) == 24
    assert "source: table\n  path: d/labels.csv\n  # Fractions" in text


@pytest.mark.parametrize("asked", ["d", "d/labels.csv", "d/i.zip"])
def test_a_table_beside_an_archive(asked):
    Path("d").mkdir()
    write_zip(Path("d/i.zip"), {f"deep/{path}": data for path, data in FLAT.items()})
    write_zip(Path("d/others.zip"), images("a", "b"))
    write_csv_table(Path("d/labels.csv"), rows(FLAT, "Img/"))
    data, text = made(asked)
    assert data.class_names == ["a", "b"] and sum(map(len, data.splits.values())) == 24
    assert "source: table\n  path: d/labels.csv\n  images: d/i.zip\n" in text


@pytest.mark.parametrize("asked", ["d", "d/images"])
def test_a_table_beside_a_folder_without_class_folders(asked):
    write_folder(Path("d/images"), FLAT)
    write_csv_table(Path("d/labels.tsv"), rows(FLAT), delimiter="\t")
    data, text = made(asked)
    assert data.class_names == ["a", "b"] and "images: d/images\n" in text


@pytest.mark.parametrize("ending", [".png", ""])
def test_images_in_two_parts_have_their_folder(ending):
    content = images("part_1", "part_2", each=12)
    unique = {f"{path.rpartition('/')[0]}/{n}.png": data for n, (path, data) in enumerate(content.items())}
    write_folder(Path("d"), unique)
    table = [[cell.replace(".png", ending) for cell in row] for row in rows(unique)]
    write_csv_table(Path("d/meta.csv"), table)
    data, text = made("d")
    assert data.class_names == ["a", "b"] and "images: d\n" in text


def test_class_folders_are_taken_where_the_table_says_the_same():
    content = images("cat", "dog", each=8)
    write_folder(Path("d"), content)
    write_csv_table(Path("d/index.csv"), [["path", "label"], *([path, path[:3]] for path in content)])
    section, notes = find_source(Path("d"), None)
    assert section.source == "image_folder"
    assert notes == [
        "not used: the table index.csv, whose labels are those of the folders; `new d/index.csv` takes its names"
    ]


def test_a_table_is_taken_where_its_labels_are_not_the_folders():
    content = images("train", "extra", each=8)
    write_folder(Path("d/images"), content)
    write_csv_table(Path("d/all.csv"), [HEADER, *([f"images/{path}", "ab"[n % 2]] for n, path in enumerate(content))])
    section, notes = find_source(Path("d"), None)
    assert section.source == "table" and notes == ["the labels are in the table all.csv"]


def test_tables_of_other_images_and_of_pixels_do_not_matter():
    write_folder(Path("d"), images("cat", "dog", each=8))
    write_folder(Path("o"), FLAT)
    write_csv_table(Path("other.csv"), rows(FLAT, "o/"))
    Path("pixels.csv").write_text("label,p0,p1,p2,p3\n1,2,3,4,5\n")
    Path("users.csv").write_text("id,age\nu1,3\nu2,4\n")
    section, notes = find_source(Path("d"), None)
    assert section.source == "image_folder" and notes == []


@pytest.mark.parametrize("label", [None, "label"])
def test_of_several_tables_the_one_that_lists_the_most_images_is_taken(label):
    write_folder(Path("d/train_images"), FLAT)
    write_csv_table(Path("d/part.csv"), rows(FLAT)[:20])
    write_csv_table(Path("d/sample_submission.csv"), [HEADER, ["other.png", "a"]])
    write_csv_table(Path("d/train.csv"), rows(FLAT))
    data, text = made("d/train_images", label)
    assert data.class_names == ["a", "b"] and sum(map(len, data.splits.values())) == 24
    assert "path: d/train.csv\n  images: d/train_images\n" in text
    submission, *others = find_source(Path("d/train_images"), label)[1]
    assert submission.startswith("not used: the table sample_submission.csv; `new ")
    assert others == [
        "not used: the table part.csv, which lists no more images",
        "the labels are in the table train.csv",
    ]


def test_where_no_table_can_be_used_each_is_named():
    write_folder(Path("d"), FLAT)
    write_csv_table(Path("d/ages.csv"), [["image", "age", "sex"], *([path, "7", "f"] for path in FLAT)])
    write_csv_table(Path("d/others.csv"), [HEADER, ["other.png", "a"]])
    with pytest.raises(UserError) as refusal:
        find_source(Path("d"), None)
    assert [Path(problem.file).name for problem in refusal.value.problems] == ["ages.csv", "others.csv"]


@pytest.mark.parametrize("label", [None, "kind"])
def test_a_parquet_table_that_cannot_be_read_here_is_named(monkeypatch, label):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    write_folder(Path("d/images"), FLAT)
    Path("d/labels.parquet").write_bytes(b"PAR1")
    with pytest.raises(UserError, match=r"labels\.parquet: Parquet needs pyarrow: pip install 'kerasexp\[parquet\]'"):
        find_source(Path("d"), label)


def test_the_folder_above_need_not_be_one_that_may_be_listed(monkeypatch, tmp_path):
    write_folder(Path("d"), images("cat", "dog", each=4))
    listed = Path.iterdir

    def closed(folder: Path):
        if folder == tmp_path:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return listed(folder)

    monkeypatch.setattr(Path, "iterdir", closed)
    assert find_source(Path("d"), None)[0].source == "image_folder"


def test_a_column_of_labels_is_asked_for_and_given():
    write_folder(Path("d"), FLAT)
    table = [["image", "age", "diagnosis"], *([path, "7", "ab"[n % 2]] for n, path in enumerate(FLAT))]
    write_csv_table(Path("d/meta.csv"), table)
    with pytest.raises(UserError, match="--label: which column holds the labels.* one of 'age', 'diagnosis'"):
        made("d")
    data, text = made("d", "diagnosis")
    assert data.class_names == ["a", "b"] and "columns:\n    label: diagnosis\n" in text


def test_a_label_without_a_table_is_refused():
    write_folder(Path("d"), images("cat", "dog", each=8))
    with pytest.raises(UserError, match="--label: there is no table of images in or beside d"):
        find_source(Path("d"), "kind")


def test_a_table_that_is_unclear_beside_class_folders_is_named():
    content = images("cat", "dog", each=8)
    write_folder(Path("d"), content)
    write_csv_table(Path("d/meta.csv"), [["path", "width", "height"], *([path, "6", "6"] for path in content)])
    section, notes = find_source(Path("d"), None)
    assert section.source == "image_folder" and notes == [
        "not used: the table meta.csv; `new d/meta.csv` says what it lacks"
    ]


def test_classes_with_few_readable_images_are_refused_by_their_labels():
    write_folder(Path("d"), FLAT | {"20.png": b"", "22.png": b""})
    table = [[path, "rare" if path in ("0.png", "20.png", "22.png") else "ab"[n % 2]] for n, path in enumerate(FLAT)]
    write_csv_table(Path("d/labels.csv"), [HEADER, *table])
    with pytest.raises(UserError, match=r"fewer than 3 images cannot be split into train, val and test: rare \(1\)"):
        made("d")
