"""Names of classes: one order in every process, compared in composed form, refused where they are first seen."""

import json
import os
import random
import subprocess
import sys
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from folder_trees import images, write_folder, write_zip
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kerasexp.config.data_section import Data, DataSource
from kerasexp.data.prepared_data import prepare
from kerasexp.data.source import natural_key, resolve_classes
from kerasexp.data.sources.image_folder import load_image_folder
from kerasexp.errors import UserError

NFC, NFD = (unicodedata.normalize(form, "café") for form in ("NFC", "NFD"))
NAMES = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), min_size=1).filter(str.strip)
NUMBERS = st.from_regex(r"[0-9٣５²①]{1,6}[a-z]?", fullmatch=True)


def load(path: Path, **keys):
    return load_image_folder(DataSource(source="image_folder", path=str(path), **keys))


# Order


def test_numbers_in_names_are_ordered_as_numbers_and_equal_ones_as_text():
    names = ["img10", "img9", "10", "2", "001", "01", "1", "5²", "①", "5", "٣", "b", "B"]
    assert sorted(names, key=natural_key) == [
        "001",
        "01",
        "1",
        "2",
        "٣",
        "5",
        "5²",
        "10",
        "B",
        "b",
        "img9",
        "img10",
        "①",
    ]


@given(st.lists(NAMES | NUMBERS, min_size=1, max_size=8, unique=True), st.randoms(use_true_random=False))
@settings(derandomize=True, deadline=None, max_examples=500)
@example(["1", "01", "001"], random.Random(0))
@example(["9" * 5000, "0" + "9" * 5000, "1"], random.Random(0))
@example([NFC, NFD], random.Random(0))
def test_the_order_of_classes_does_not_depend_on_the_order_in_which_they_are_found(names, shuffler):
    shuffled = names.copy()
    shuffler.shuffle(shuffled)
    assert list(resolve_classes(names, None).items()) == list(resolve_classes(shuffled, None).items())
    assert len({str(natural_key(name)) for name in names}) == len(names)


def test_the_order_of_classes_is_the_same_in_every_process():
    """Three processes with other hash seeds order the same 300 lists."""
    strategy = st.lists(NAMES | NUMBERS, min_size=2, max_size=8, unique=True)
    lists: list[list[str]] = []

    @given(strategy)
    @settings(derandomize=True, deadline=None, max_examples=300, database=None)
    def draw(names):
        lists.append(names)

    draw()
    lists.append(["1", "01", "001", "0001", "٣", "3", "5²", "①", NFC, NFD])
    script = (
        "import json, sys; from kerasexp.data.source import resolve_classes\n"
        "print(json.dumps([list(resolve_classes(names, None).items()) for names in json.load(sys.stdin)]))"
    )
    answers = set()
    for seed in ("0", "1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", script],
            input=json.dumps(lists),
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
            check=True,
        )
        answers.add(done.stdout)
    assert len(lists) > 200 and len(answers) == 1


@pytest.mark.parametrize("name", ["5²", "①", "٣", "½", "Ⅷ", "9" * 200, "a1²3"])
def test_a_folder_of_any_digits_is_a_class(tmp_path, name):
    assert set(load(write_folder(tmp_path / "data", images(name, "z"))).class_names) == {name, "z"}


@given(st.permutations(sorted(images("1", "01", "b", each=4))))
@settings(derandomize=True, deadline=None, max_examples=20)
def test_prepared_data_do_not_depend_on_the_order_of_files_on_disk(order):
    content = images("1", "01", "b", each=4)

    def listed(path, original=os.listdir):
        return sorted(original(path), key=lambda name: (hash((name, len(order[0]), order[1])), name))

    found = []
    for number, names in enumerate((sorted(content), order)):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(os, "listdir", listed if number else os.listdir)
            place = Path(os.environ["KERASEXP_CACHE"]).parent / f"{number}-{abs(hash(tuple(order)))}" / "data"
            write_folder(place, {name: content[name] for name in names})
            archive = write_zip(place.parent / "data.zip", {name: content[name] for name in names})
            for path in (place, archive):
                data = prepare(Data(source="image_folder", path=str(path), validation=0.3, test=0.3))
                found.append((data.fingerprint, data.class_names, [split.names for split in data.splits.values()]))
    assert all(other == found[0] for other in found)


# Composed and decomposed


@pytest.mark.parametrize("make", [write_folder, write_zip])
@pytest.mark.parametrize(("stored", "written"), [(NFD, NFC), (NFC, NFD), (NFD, NFD)])
def test_a_name_means_the_same_composed_and_decomposed(tmp_path, make, stored, written):
    path = make(tmp_path / ("data" if make is write_folder else "data.zip"), images(stored, "thé", "x", each=8))
    labels = dict(select=["x", written], keep={written: 4})
    data = prepare(Data(source="image_folder", path=str(path), labels=labels, test=0.25, validation=0.4))
    assert data.class_names == ["x", NFC] and sum(data.train_counts) + len(data.splits["val"]) == 6 + 4
    assert data.folders[stored] == NFC
    source = load(path, class_names={written: "coffee", "x": "y"})
    assert source.class_names == ["coffee", "y"] and np.bincount(source.splits["train"].labels).tolist() == [8, 8]


def test_two_folders_whose_names_look_alike_are_one_class_and_named(tmp_path):
    source = load(write_folder(tmp_path / "data", images(NFC, NFD, "x")))
    assert source.class_names == [NFC, "x"] and np.bincount(source.splits["train"].labels).tolist() == [8, 4]
    assert list(source.accounting.lines()) == [
        "2 folders are one class; their names differ only in how accents are stored: café"
    ]


def test_a_checkpoint_of_a_decomposed_folder_is_evaluated_on_a_composed_one(cli, tmp_path):
    write_folder(tmp_path / "data", images(NFD, "x", each=8))
    write_folder(tmp_path / "more", images(NFC, "x", each=3))
    Path("e.yaml").write_text(
        "data: {source: image_folder, path: data, validation: 0.25, test: 0.25, preprocessing: {size: [8, 8]}}\n"
        "model: {name: mlp, units: [4]}\ntraining: {epochs: 1, batch_size: 4}\nreport: {plots: false}\n"
    )
    assert cli("run", "e.yaml", "--run-dir", "r").code == 0
    answer = cli("evaluate", "r", "--data", "image_folder", "--data-path", "more", "--format", "json")
    assert answer.code == 0 and json.loads(answer.out)["images"] == 6


# What cannot be used


@pytest.mark.parametrize("name", ["a\nb", "a\x1b[2Jb", "a\tb", "a\x7f", "a\x85b", "a\u2028b", " "])
def test_a_name_that_cannot_be_used_is_refused_by_new_check_and_run_alike(cli, tmp_path, name):
    write_folder(tmp_path / "data", images(name, "z", each=8))
    Path("e.yaml").write_text("data: {source: image_folder, path: data}\n")
    before = sorted(path.name for path in tmp_path.iterdir())
    answers = [cli("new", "data"), cli("check", "e.yaml"), cli("run", "e.yaml")]
    assert [answer.code for answer in answers] == [2, 2, 2]
    for answer in answers:
        assert f"the name {name!r} of a class" in answer.err and "rename its folder or label" in answer.err
        assert name not in answer.out + answer.err.replace(repr(name), "") or not name.strip()
    assert set(path.name for path in tmp_path.iterdir()) - {"cache"} == set(before)


def test_a_label_that_cannot_be_the_name_of_a_class_is_refused_in_arrays_too():
    np.savez("x.npz", x=np.zeros((4, 8, 8), np.uint8), y=np.array(["a\nb", "c", "a\nb", "c"]))
    with pytest.raises(UserError, match=r"the name 'a\\nb' of a class has control characters"):
        prepare(Data(source="npz", path="x.npz"))


def test_folders_with_odd_numbers_beside_numbered_runs_are_no_runs(tmp_path):
    from kerasexp.runs.directory import RunDirectory, numbered_runs

    for name in ("1", "2", "5²", "①", "٣", "007", "notes"):
        (tmp_path / "runs" / "x" / name).mkdir(parents=True)
    assert [run.path.name for run in numbered_runs(tmp_path / "runs" / "x")] == ["2", "1"]
    assert RunDirectory.create("x", None, tmp_path / "runs").path.name == "3"
