"""`evaluate` and `predict` with several checkpoints and with test-time augmentation."""

import csv
import io
import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from tiny import TINY

from kerasexp.evaluation.intervals import mcnemar

ONE, TWO, LARGER = "runs/tiny/1", "runs/tiny/2", "runs/larger/1"
DATA = ("--data", "image_folder", "--data-path", "images", "--format", "json")


@pytest.fixture(autouse=True)
def here(finished_runs, tmp_path):
    shutil.copytree(finished_runs / "runs", tmp_path / "runs")
    shutil.copytree(finished_runs / "images", tmp_path / "images")


def given(cli, *arguments: object) -> dict:
    answer = cli(*arguments)
    assert answer.code == 0, answer.err
    return json.loads(answer.out)


def scores(predictions: list[dict]) -> np.ndarray:
    """Return the probabilities of predictions of all classes, in the order of the classes' names."""
    return np.array(
        [[one["probability"] for one in sorted(p["top"], key=lambda one: one["class"])] for p in predictions]
    )


def test_evaluate_shows_each_checkpoint_beside_all_of_them(cli):
    """Of two sizes of images."""
    found = given(cli, "evaluate", ONE, TWO, LARGER, *DATA)
    alone = [given(cli, "evaluate", path, *DATA) for path in (ONE, TWO, LARGER)]
    assert found["checkpoints"] == [ONE, TWO, LARGER] and found["views"] == [1, 1, 1]
    rows = {row["of"]: row for row in found["accuracies"]}
    assert list(rows) == [ONE, TWO, LARGER, "3 checkpoints"]
    for path, metrics in zip((ONE, TWO, LARGER), alone, strict=True):
        for key in ("accuracy", "accuracy_low", "accuracy_high"):
            assert rows[path][key] == pytest.approx(metrics[key])
    assert found["mean_accuracy"] == pytest.approx(np.mean([metrics["accuracy"] for metrics in alone]))
    assert rows["3 checkpoints"]["accuracy"] == found["accuracy"] and "gains" not in alone[0]
    (gain,) = found["gains"]
    best = max(rows, key=lambda name: rows[name]["accuracy"] if name != "3 checkpoints" else -1)
    assert (gain["of"], gain["over"]) == ("3 checkpoints", best)
    assert gain["difference"] == pytest.approx(found["accuracy"] - rows[best]["accuracy"])
    assert gain["p_value"] == pytest.approx(mcnemar(gain["only_first"], gain["only_this"]))
    assert gain["low"] <= gain["difference"] <= gain["high"]


def test_evaluate_and_predict_agree_with_the_mean_of_calibrated_probabilities(cli):
    found = given(cli, "evaluate", ONE, LARGER, *DATA)
    asked = ("images", "--format", "json", "--top", 3)
    together = given(cli, "predict", ONE, *asked, "--with", LARGER)
    alone = [scores(given(cli, "predict", path, *asked)) for path in (ONE, LARGER)]
    np.testing.assert_allclose(scores(together), np.mean(alone, axis=0), atol=2e-5)
    right = np.mean([Path(p["file"]).parent.name == p["class"] for p in together])
    assert right == pytest.approx(found["accuracy"])


def test_predict_keeps_its_form(cli):
    Path("images/disc/broken.png").write_bytes(b"no image")
    asked = ("predict", ONE, "images/disc", "images/upright/00.png")
    more = ("--with", TWO, "--with", LARGER, "--tta")
    one, several = (cli(*asked, *options, "--format", "json") for options in ((), more))
    assert several.err.count("left out: images/disc/broken.png") == one.err.count("left out") == 1
    first, second = json.loads(one.out), json.loads(several.out)
    assert [p["file"] for p in first] == [p["file"] for p in second] and len(second) == 21
    assert [p.keys() for p in first] == [p.keys() for p in second]
    assert scores(second).sum(axis=1) == pytest.approx(1, abs=1e-5) and not np.allclose(scores(first), scores(second))
    tables = [list(csv.reader(io.StringIO(cli(*asked, *options, "--format", "csv").out))) for options in ((), more)]
    assert tables[0][0] == tables[1][0] and len(tables[0]) == len(tables[1]) == 22


def test_evaluate_shows_what_several_views_gain(cli):
    found = given(cli, "evaluate", ONE, *DATA, "--tta")
    plain = given(cli, "evaluate", ONE, *DATA)
    assert found["views"] == [5] and [row["of"] for row in found["accuracies"]] == [f"{ONE}, 1 view", f"{ONE}, 5 views"]
    assert found["accuracies"][0]["accuracy"] == plain["accuracy"]
    assert found["accuracies"][1]["accuracy"] == found["accuracy"] and "nll_calibrated" in found
    table = cli("evaluate", ONE, TWO, *DATA[:-2], "--tta").out.splitlines()
    assert table[-2].startswith("2 checkpoints, 1 view against runs/tiny/") and ", the best of them: " in table[-2]
    assert table[-1].startswith("2 checkpoints, 5 views against 2 checkpoints, 1 view: ") and "McNemar p" in table[-1]
    assert table[-3].startswith("mean of the 2 alone ") and sum("95 % interval" in line for line in table) == 6


def test_predictions_of_several_views_repeat_exactly(cli):
    asked = ("predict", ONE, "images/disc", "--tta", "--format", "json")
    assert cli(*asked).out == cli(*asked).out != cli(*asked[:3], *asked[4:]).out


def test_views_are_mirrored_where_training_mirrored(cli):
    Path("tiny.yaml").write_text(TINY)
    mirrored = cli(
        "run", "tiny.yaml", "--set", "training.epochs=1", "--set", "data.augmentation.flip=horizontal"
    ).last_line
    assert json.loads((Path(mirrored) / "checkpoint" / "augmentation.json").read_text()) == {"flip": True}
    assert not (Path(ONE) / "checkpoint" / "augmentation.json").exists()
    found = given(cli, "evaluate", ONE, mirrored, *DATA, "--tta")
    assert found["views"] == [5, 10] and found["accuracies"][-1]["of"] == "2 checkpoints, 5 to 10 views"


def test_each_checkpoint_reads_16_bits_with_the_range_of_its_own_training(cli):
    for file in Path("images").rglob("*.png"):
        cv2.imwrite(str(file), cv2.imread(str(file), cv2.IMREAD_GRAYSCALE).astype(np.uint16) * 16)
    for path, highest in ((ONE, 4095), (TWO, 20000)):
        sidecar = Path(path) / "checkpoint" / "preprocessing.json"
        sidecar.write_text(json.dumps(json.loads(sidecar.read_text()) | {"range": [0, highest], "range_of": "files"}))
    found = given(cli, "evaluate", ONE, TWO, *DATA)
    alone = [given(cli, "evaluate", path, *DATA)["accuracy"] for path in (ONE, TWO)]
    assert [row["accuracy"] for row in found["accuracies"][:2]] == pytest.approx(alone)
    together = given(cli, "predict", ONE, "images", "--with", TWO, "--format", "json")
    assert np.mean([Path(p["file"]).parent.name == p["class"] for p in together]) == pytest.approx(found["accuracy"])


def test_an_image_that_one_checkpoint_cannot_read_is_left_out_for_all(cli):
    Path("images/disc/broken.png").write_bytes(b"no image")
    found = given(cli, "evaluate", ONE, LARGER, *DATA)
    assert [fault["file"] for fault in found["left_out"]] == ["disc/broken.png"] and found["images"] == 60


def test_classes_may_have_other_names_in_the_data(cli):
    Path("images/disc").rename("images/round")
    found = given(cli, "evaluate", ONE, LARGER, *DATA, "--class-names", "round=disc")
    assert found["same_classes"] == {"round": "disc"} and found["images"] == 60


def test_what_cannot_be_put_together_is_refused(cli):
    answer = cli("evaluate", ONE, "part2_pretrained", *DATA)
    assert answer.code == 2 and "part2_pretrained: has other classes than runs/tiny/1" in answer.err
    assert "only this one has 0, 1, 2" in answer.err and "only runs/tiny/1 has across, disc, upright" in answer.err
    answer = cli("predict", ONE, "images/disc", "--with", TWO, "--with", "runs/tiny/1/checkpoint")
    assert answer.code == 2 and "runs/tiny/1/checkpoint: is given twice, also as runs/tiny/1" in answer.err
    answer = cli("predict", ONE, "images/disc", "--with", "runs/tin")
    assert answer.code == 2 and "runs/tin: no such file or folder" in answer.err


@pytest.mark.parametrize("place", [TWO, f"{TWO}/checkpoint", f"{TWO}/checkpoint/model.keras", "part2_pretrained"])
def test_a_checkpoint_in_place_of_images_is_refused_with_the_option(cli, place):
    """A run directory has plots, which are images."""
    answer = cli("predict", ONE, place, "images/disc")
    assert answer.code == 2 and f"{place}: is a checkpoint, and images are needed here" in answer.err
    assert "--with" in answer.err


def test_a_folder_of_images_may_have_the_name_of_a_shipped_checkpoint(cli):
    shutil.copytree("images/disc", "part2_pretrained")
    assert len(given(cli, "predict", ONE, "part2_pretrained", "--format", "json")) == 20
