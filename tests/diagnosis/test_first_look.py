"""`diagnose --look-only`: what the data alone show."""

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest


@pytest.fixture
def faulty(tmp_path) -> Path:
    """A folder of three classes: one file of another class again, a blank one, one of another size, one cut off."""
    generator = np.random.default_rng(0)
    folder = tmp_path / "faulty"
    for name in "abc":
        (folder / name).mkdir(parents=True)
        for number in range(12):
            cv2.imwrite(str(folder / name / f"{number}.png"), generator.integers(0, 256, (30, 40, 3), np.uint8))
    shutil.copy(folder / "a" / "1.png", folder / "b" / "copy.png")
    cv2.imwrite(str(folder / "c" / "0.png"), np.full((30, 40, 3), 7, np.uint8))
    cv2.imwrite(str(folder / "c" / "1.png"), generator.integers(0, 256, (30, 60, 3), np.uint8))
    (folder / "a" / "0.png").write_bytes((folder / "a" / "2.png").read_bytes()[:-30])
    return folder


def test_what_is_found(cli, faulty):
    answer = cli("diagnose", faulty, "--look-only")
    assert answer.code == 0
    for text in (
        "left out: a/0.png: the PNG file is cut off",
        "train: 36 images in 3 of 3 classes, 11 (a) to 13 (b) per class.",
        "1 with several labels; the first: a/1.png, b/copy.png.",
        "Blank: 1 (c/0.png).",
        "1 of 36 checked files (c/1.png)",
        "--look-only trains nothing",
    ):
        assert text in answer.out
    assert not Path("diagnosis.html").exists()


def test_as_json(cli, faulty):
    found = json.loads(cli("diagnose", faulty, "--look-only", "--format", "json").out)
    assert found["page"] is None and found["labels"] == [] and found["verdict"] is None
    assert [item["file"] for item in found["left_out"]] == ["a/0.png"]
    assert found["splits"]["class_counts"] == {"train": {"a": 11, "b": 13, "c": 12}}
    assert len(found["images"]["duplicates"]) == 1


def test_files_that_cannot_be_read_do_not_stop_an_experiment(cli, faulty, tmp_path):
    experiment = tmp_path / "mine.yaml"
    experiment.write_text(f"name: mine\ndata: {{source: image_folder, path: {faulty}, on_corrupt: error}}\n")
    answer = cli("diagnose", experiment, "--look-only")
    assert answer.code == 0 and "left out: a/0.png" in answer.out and "test: " in answer.out


@pytest.mark.parametrize("option", [("--reference", "checkpoint"), ("--class-names", "a=b")])
def test_options_that_assess_labels_are_refused(cli, faulty, option):
    answer = cli("diagnose", faulty, "--look-only", *option)
    assert answer.code == 2 and option[0] in answer.err and "--look-only leaves them out" in answer.err


def test_a_table_of_names_without_extension_is_one_of_images(cli, faulty):
    rows = [f"{name},{name[0]}" for name in ("a1", "a2", "b1", "b2")]
    Path("train").mkdir()
    for name in ("a1", "a2", "b1", "b2"):
        shutil.copy(faulty / name[0] / f"{name[1]}.png", f"train/{name}.png")
    for header in ("id,breed", "name,label"):
        Path("labels.csv").write_text("\n".join([header, *rows]))
        options = ("--look-only", "--set", "data.columns.image=1")
        answer = cli("diagnose", "labels.csv", *options)
        assert answer.code == 2
        assert "none of its 4 images is at its path, such as a1; 4 are in train: write images: " in answer.err
        answer = cli("diagnose", "labels.csv", *options, "--set", "data.images=train")
        assert answer.code == 0 and "train: 4 images in 2 of 2 classes" in answer.out


@pytest.mark.parametrize("seed", [-1, 2**31])
def test_a_seed_that_cannot_be_one_is_refused(cli, faulty, seed):
    answer = cli("diagnose", faulty, "--look-only", "--seed", seed)
    assert answer.code == 2 and "--seed" in answer.err and "Traceback" not in answer.err
