"""Every file of a folder or archive is used, left out with a word, or ignored by rule."""

import contextlib
import json
import os
import shutil
import tempfile
from pathlib import Path

import numpy as np
import pytest
from folder_trees import files_below, image_file, images, lines, load, trees, write_folder, write_zip
from hypothesis import example, given, settings

from kerasexp.config.data_section import Data
from kerasexp.console import Console
from kerasexp.data.image_archive import open_files
from kerasexp.data.new_experiment import write_new_experiment
from kerasexp.data.prepared_data import PreparedData, prepare
from kerasexp.data.source import Source
from kerasexp.errors import UserError

GOOD = images("cat", "dog")
SPLITS = images("train/cat", "train/dog", each=6) | images("test/cat", "test/dog", seed=1)


@pytest.fixture(params=["folder", "zip"])
def made(request, tmp_path):
    """Writes a folder or an archive, and returns its path."""
    if request.param == "folder":
        return lambda content: write_folder(tmp_path / "data", content)
    return lambda content: write_zip(tmp_path / "data.zip", content)


def names(source: Source, split: str = "train") -> list[str]:
    return source.splits[split].names


def prepared(path: Path, **keys) -> PreparedData:
    return prepare(Data(source="image_folder", path=str(path), validation=0.3, **keys))


# What is used, and what is not


def test_where_everything_is_used_nothing_is_said(made):
    assert lines(made(GOOD)) == []


@pytest.mark.parametrize(
    ("more", "line"),
    [
        ({"a": None, "b": None, "c": None}, "3 class folders without an image: a, b, c"),
        ({"a/notes.txt": b"x"}, "1 class folder without an image: a"),
        ({"preview.png": image_file(99)}, "not used: 1 file in no class folder: preview.png"),
        ({"cat/old/1.png": image_file(99)}, "not used: 1 file in no class folder: cat/old/1.png"),
        ({"labels.csv": b"", "cat/a.txt": b"", "b.txt": b""}, "not used: 3 files of other types: 2 .txt, 1 .csv"),
        ({"cat/README": b"text"}, "not used: 1 file of other types: 1 no extension"),
        ({"cat/.DS_Store": b"", "__MACOSX/cat/._1.png": b"", ".git/a/b": b""}, "not used: 3 files hidden or of macOS"),
    ],
)
def test_one_line_says_what_is_not_used(made, more, line):
    source = load(made(GOOD | more))
    assert line in list(source.accounting.lines())
    assert source.class_names == ["cat", "dog"] and sorted(names(source)) == sorted(GOOD)


def test_images_without_an_extension_are_used_and_counted(made):
    content = GOOD | images("bird", end="") | images("cow", end=".001", kind="BMP") | images("ant", end="", kind="JPEG")
    source = load(made(content))
    assert source.class_names == ["ant", "bird", "cat", "cow", "dog"]
    assert [line.partition(":")[0] for line in source.accounting.lines()] == [
        "12 files without an image extension found to be images by their content"
    ]
    assert all(source.splits["train"].read(position).shape[0] == 6 for position in range(20))


@pytest.mark.parametrize("end", [".ppm", ".pgm", ".tif", ".tga", ".psd", ".dcm"])
def test_images_of_formats_that_are_not_read_are_named_with_the_reason(made, end):
    data = prepared(made(images("cat", "dog", each=6) | images("bird", each=5, end=end, kind="PPM")))
    assert [name for name, _ in data.faults] == [f"bird/{n}{end}" for n in range(5)]
    assert "supported formats: PNG, JPEG, BMP, WebP, TIFF" in data.faults[0][1]


def test_folders_that_class_names_does_not_name_are_counted(made):
    path = made(GOOD | images("bird"))
    assert lines(path, class_names={"cat": "c", "dog": "d"}) == [
        "not used: 4 files of folders that data.class_names does not name: bird/0.png, bird/1.png, bird/2.png, ... (1 more)"
    ]


def test_classes_that_select_leaves_out_are_counted(made):
    data = prepared(made(images("cat", "dog", "bird", each=6)), labels=dict(select=["dog", "cat"]))
    assert data.accounting["data"]["used"] == 12
    assert [group["files"] for group in data.accounting["data"]["left_out"]] == [6]


@pytest.mark.parametrize(
    ("content", "odd"),
    [
        (GOOD | images("", each=8, seed=1), "'0.png'"),
        (images("cat") | images("dog/deep", seed=1), "'dog/deep/0.png'"),
        (GOOD | images("bird/deep", each=1, seed=1), "'bird/deep/0.png'"),
        (SPLITS | {"val/1.png": image_file(99)}, "'val/1.png'"),
    ],
)
def test_without_a_majority_or_where_a_folder_would_vanish_the_odd_ones_are_named(made, content, odd):
    with pytest.raises(UserError, match="not directly in a class folder") as refusal:
        load(made(content))
    assert f"such as {odd}" in str(refusal.value)


def test_the_splits_of_a_folder_without_train_are_named(made):
    with pytest.raises(UserError, match="has the folders test, val but no train"):
        load(made(images("val/cat", "val/dog", "test/cat", "test/dog")))


@pytest.mark.parametrize(
    "folders", [("Train", "TEST", "Val"), ("TRAINING", "Testing", "Validation"), ("train", "Test", "VALID")]
)
def test_split_folders_may_be_in_capitals(made, folders):
    source = load(made(images(*(f"{split}/{kind}" for split in folders for kind in ("cat", "dog")))))
    assert {split: len(of) for split, of in source.splits.items()} == {"train": 8, "test": 8, "val": 8}
    assert list(source.accounting.lines())[0].startswith("splits: folder ")


def test_a_stray_beside_split_folders_and_below_a_top_folder(made):
    content = {f"top/{path}": data for path, data in SPLITS.items()} | {
        "preview.png": image_file(99),
        "top/x/1.png": image_file(98),
    }
    source = load(made(content))
    assert {split: len(of) for split, of in source.splits.items()} == {"train": 12, "test": 8}
    assert "not used: 2 files in no class folder: preview.png, top/x/1.png" in list(source.accounting.lines())


@given(trees())
@settings(derandomize=True, deadline=None, max_examples=300)
@example({})
def test_every_file_of_any_tree_is_accounted_for(content):
    with tempfile.TemporaryDirectory() as place:
        folder = write_folder(Path(place) / "data", content)
        accounts = []
        for path in (folder, write_zip(Path(place) / "data.zip", content)):
            with contextlib.suppress(UserError):
                source = load(path)
                account, files = source.accounting, files_below(folder)
                used = [name for images in source.splits.values() for name in images.names]
                left = [file for group in account.left_out.values() for file in group]
                assert sorted([*used, *left, *account.ignored]) == files
                assert account.used == len(used) and account.files == len(files)
                assert len(list(account.lines())) <= len(account.notes) + 7
                accounts.append((account, source.class_names))
        # An archive that holds control characters in a name is refused as a whole.
        assert len(accounts) != 1 or any("\n" in name for name in content)
        assert len(accounts) < 2 or accounts[0] == accounts[1]


def test_the_manifest_holds_the_account(cli, tmp_path):
    write_folder(tmp_path / "data", images("cat", "dog", each=8) | {"a.txt": b"", ".x": b"", "b": None})
    Path("e.yaml").write_text(
        "data: {source: image_folder, path: data, validation: 0.25, test: 0.25, preprocessing: {size: [8, 8]}}\n"
        "model: {name: mlp, units: [4]}\ntraining: {epochs: 1, batch_size: 4}\nreport: {plots: false}\n"
    )
    answer = cli("run", "e.yaml", "--run-dir", "r")
    assert answer.code == 0, answer.err
    found = json.loads(Path("r/manifest.json").read_text())["data"]
    assert found["left_out"] == []
    assert found["accounting"]["data"] == {
        "files": 18,
        "used": 16,
        "ignored": {"files": 1, "such_as": [".x"]},
        "left_out": [{"reason": "of other types", "files": 1, "types": {".txt": 1}, "such_as": ["a.txt"]}],
        "empty_folders": ["b"],
    }
    for line in found["notes"]:
        assert line in answer.out
    assert len(found["notes"]) == 3


# The same files twice


@pytest.mark.parametrize("how", ["link", "hard links", "copy"])
@pytest.mark.parametrize(("new", "old"), [("val", "test"), ("test", "val")])
def test_a_split_that_is_another_one_is_used_as_asked_and_named(tmp_path, how, new, old):
    there = {path.replace("test/", f"{old}/"): data for path, data in SPLITS.items()}
    folder = write_folder(tmp_path / "data", there)
    if how == "link":
        (folder / new).symlink_to(old)
    else:
        shutil.copytree(folder / old, folder / new, copy_function=os.link if how == "hard links" else shutil.copy)
    data = prepared(folder)
    assert {split: len(of) for split, of in data.splits.items()} == {"train": 12, "val": 8, "test": 8}
    assert "splits share images, identical after preprocessing: 8 of the 8 of test are in val (test/cat/0.png is " in (
        "\n".join(data.notes)
    )
    assert ("one folder is used under 2 names: test, val" in data.notes) == (how == "link")


def test_images_of_train_in_test_are_counted_in_every_source(tmp_path):
    values = np.random.default_rng(0).integers(0, 256, (20, 8, 8), np.uint8)
    values[15] = values[3]
    np.savez("x.npz", x_train=values[:12], y_train=np.arange(12) % 2, x_test=values[12:], y_test=np.arange(8) % 2)
    data = prepare(Data(source="npz", path="x.npz", validation=0.2, preprocessing=dict(size=[8, 8])))
    assert [
        note for note in data.notes if "1 of the 8 of test are in " in note and "(test/00003 is train/00003)" in note
    ]


def test_new_images_of_train_leave_test_as_it_was(tmp_path):
    folder, decoded = write_folder(tmp_path / "data", SPLITS), []
    before = prepared(folder).split_digests
    write_folder(folder, {"train/cat/new.png": image_file(99), "test/cat/notes.txt": b"x"})
    data = Data(source="image_folder", path=str(folder), validation=0.3)
    after = prepare(data, lambda done, total: decoded.append(total)).split_digests
    assert after["test"] == before["test"] and after["train"] != before["train"]
    assert set(decoded) == {13}


def test_a_test_set_that_is_the_training_set_is_named(tmp_path):
    write_folder(tmp_path / "data", images("cat", "dog", each=10))
    data = prepared(Path("data"), test=dict(source="image_folder", path="data"))
    assert [note for note in data.notes if "14 of the 20 of test are in train, 6 of the 20 of test are in val" in note]


def test_different_images_are_not_called_the_same(tmp_path):
    assert prepared(write_folder(tmp_path / "data", SPLITS)).notes == []


def test_a_class_that_links_to_another_is_named(tmp_path):
    folder = write_folder(tmp_path / "data", GOOD)
    (folder / "wolf").symlink_to("dog")
    assert lines(folder) == ["one folder is used under 2 names: dog, wolf"]


def test_links_in_a_circle_end_and_are_named(tmp_path):
    folder = write_folder(tmp_path / "data", GOOD)
    (folder / "cat" / "above").symlink_to("..")
    (folder / "dog" / "self").symlink_to(".")
    assert lines(folder) == ["not used: links that lead in a circle (2): cat/above, dog/self"]
    assert sorted(names(load(folder))) == sorted(GOOD)


def test_folders_that_all_link_to_each_other_end(tmp_path):
    for name in "abcdefghij":
        (tmp_path / "data" / name).mkdir(parents=True)
        for other in "abcdefghij":
            (tmp_path / "data" / name / f"to {other}").symlink_to(f"../{other}")
    files = open_files(tmp_path / "data")
    assert files.paths == [] and len(files.folders) < 200 and len(files.notes) == 12


# Another source as the test split


def test_a_folder_of_class_folders_is_the_test_split_as_a_whole(tmp_path):
    write_folder(tmp_path / "data", images("cat", "dog", each=8))
    write_folder(tmp_path / "more", images("cat", "dog", "bird", each=3, seed=1))
    data = prepared(Path("data"), test=dict(source="image_folder", path="more"))
    assert len(data.splits["test"]) == 6
    assert "test: all of images in more, which has no splits (data.test)" in data.notes
    assert data.accounting["data.test"]["used"] == 6 and data.accounting["data.test"]["files"] == 9
    assert [
        note
        for note in data.notes
        if note.startswith("not used: 3 files of classes that train does not have: bird/0.png")
    ]


def test_other_splits_of_the_test_source_are_counted(tmp_path):
    write_folder(tmp_path / "data", images("cat", "dog", each=8, seed=2))
    write_folder(tmp_path / "more", SPLITS)
    data = prepared(Path("data"), test=dict(source="image_folder", path="more"))
    assert len(data.splits["test"]) == 8
    assert [note for note in data.notes if note.startswith("not used: 12 files of other splits: train/cat/0.png")]


def test_a_folder_with_splits_but_no_test_is_refused_as_test(tmp_path):
    write_folder(tmp_path / "data", images("cat", "dog", each=8, seed=2))
    write_folder(tmp_path / "more", images("train/cat", "train/dog", "val/cat", "val/dog"))
    with pytest.raises(UserError, match="has no test split, but train, val; give the path of the folder to test on"):
        prepared(Path("data"), test=dict(source="image_folder", path="more"))


# `new`


def test_new_says_which_classes_val_and_test_will_lack(tmp_path, capsys):
    write_folder(tmp_path / "data", images("many", "more", each=60) | images("rare", each=3, seed=1))
    write_new_experiment(Path("data"), None, Console())
    output = capsys.readouterr().out
    assert "test will have no image of rare (3); data.test is the share that is held out" in output
    assert "val will have no image of rare (3); data.validation is the share that is held out" in output
    data = prepared(Path("data"))
    assert (
        "val has no image of 1 of 3 classes: rare" in data.notes
        or "test has no image of 1 of 3 classes: rare" in data.notes
    )


def test_new_says_nothing_where_every_class_is_in_every_split(tmp_path, capsys):
    write_folder(tmp_path / "data", images("few", "fewer", each=3))
    write_new_experiment(Path("data"), None, Console())
    assert "will have no image" not in capsys.readouterr().out


@pytest.mark.parametrize("command", ["new", "predict", "evaluate"])
def test_the_commands_say_what_they_do_not_use(cli, command, tmp_path, finished_runs):
    folder = write_folder(tmp_path / "data", images("across", "disc", "upright") | {"a.txt": b"", "b.csv": b""})
    run = finished_runs / "runs" / "tiny" / "1"
    arguments = {
        "new": ["new", folder],
        "predict": ["predict", run, folder],
        "evaluate": ["evaluate", run, "--data", "image_folder", "--data-path", folder],
    }
    answer = cli(*arguments[command])
    assert answer.code == 0, answer.err
    assert "2 files of other types: 1 .csv, 1 .txt" in answer.out + answer.err


def test_evaluate_takes_a_folder_of_one_class(cli, tmp_path, finished_runs):
    folder = write_folder(tmp_path / "data", images("disc"))
    answer = cli("evaluate", finished_runs / "runs" / "tiny" / "1", "--data", "image_folder", "--data-path", folder)
    assert answer.code == 0 and "all of it" in answer.out, answer.err
    assert cli("new", folder).code == 2


def test_evaluate_takes_no_training_images_where_there_are_splits_but_no_test(cli, tmp_path, finished_runs):
    folder = write_folder(tmp_path / "data", images("train/across", "train/disc", "val/across", "val/disc"))
    evaluate = "evaluate", finished_runs / "runs" / "tiny" / "1", "--data", "image_folder", "--data-path"
    refused = cli(*evaluate, folder)
    assert refused.code == 2 and "--data: " in refused.err
    assert "has no test split, but train, val; give the path of the folder to test on" in refused.err
    assert cli(*evaluate, folder / "val").code == 0
