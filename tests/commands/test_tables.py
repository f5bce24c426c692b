"""Tables of images on the command line: `new`, `check`, `run`, `evaluate` and `predict`, without editing."""

import json
from pathlib import Path

import pytest

FAST = ("--set", "training.epochs=1", "--set", "report.plots=false")


def write_table(images: Path, **extra: str) -> Path:
    """A table of the images, with its own words for the classes, beside them."""
    words = {"across": "horizontal", "upright": "vertical", "disc": "round"}
    paths = sorted(path for path in images.rglob("*.png"))
    for path in paths:
        path.rename(images / f"{path.parent.name}_{path.name}")
    rows = [f"C:\\old\\{path.parent.name}_{path.name};{words[path.parent.name]}" for path in paths]
    table = images.parent / "labels.csv"
    table.write_text("\r\n".join(["File name;Shape", *rows, "C:\\old\\gone.png;round", ""]), encoding="utf-8-sig")
    return table


@pytest.mark.slow
def test_a_table_is_used_from_new_to_predict_without_editing(cli, images):
    table = write_table(images)
    answer = cli("new", table)
    assert answer.code == 0, answer.err
    for line in (
        "the labels are the column 'Shape'",
        "60 files found by name, in other folders: C:\\old\\across_00.png is across_00.png",
        "not used: 1 of 61 rows of labels.csv whose file is not there: C:\\old\\gone.png",
        "train: 60 images in 3 classes, 20 per class",
    ):
        assert line in answer.out
    assert cli("check", "labels.yaml").code == 0
    answer = cli("run", "labels.yaml", *FAST, "--run-dir", "r")
    assert answer.code == 0, answer.err
    data = json.loads(Path("r/manifest.json").read_text())["data"]
    assert data["accounting"]["data"]["table"]["left_out"][0]["such_as"] == ["C:\\old\\gone.png"]
    assert json.loads(Path("r/checkpoint/classes.json").read_text())["class_names"] == [
        "horizontal",
        "round",
        "vertical",
    ]
    options = ("--data", "table", "--data-path", "labels.csv", "--set", "data.images=images", "--format", "json")
    answer = cli("evaluate", "r", *options)
    assert answer.code == 0, answer.err
    assert sum(row["support"] for row in json.loads(answer.out)["per_class"].values()) == 60
    answer = cli("predict", "r", "images", "--format", "csv")
    assert answer.code == 0 and len(answer.out.splitlines()) == 61


def test_a_table_without_its_images_names_them(cli, images):
    write_table(images)
    Path("e.yaml").write_text("data: {source: table, path: labels.csv}\nmodel: mlp\n")
    answer = cli("check", "e.yaml")
    assert answer.code == 2 and "Traceback" not in answer.err
    assert "none of its 61 images is at its path" in answer.err and "60 are in images: write images: " in answer.err


def test_packed_images_are_a_table(cli, images):
    Path("e.yaml").write_text("data: {source: image_folder, path: images}\nmodel: mlp\n")
    answer = cli("pack", "e.yaml", "--output", "packed", "--format", "images")
    assert answer.code == 0, answer.err
    assert Path("packed/table.csv").read_text().startswith("image,label,split\ntrain/000000.png,")
    answer = cli("new", "packed")
    assert answer.code == 0, answer.err
    assert "test: 6 images in 3 classes, 2 per class" in answer.out
