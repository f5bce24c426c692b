"""`compare`: runs side by side."""

import csv
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from kerasexp.comparison.results import compare
from kerasexp.errors import RunError
from kerasexp.evaluation.intervals import mcnemar
from kerasexp.runs.finished_run import read_finished

# Nearly each of these trains, or draws a whole page.
pytestmark = pytest.mark.slow

TWO = [Path("runs/tiny/1"), Path("runs/worse/1")]


@pytest.fixture(autouse=True)
def runs(finished_runs, tmp_path, monkeypatch):
    """Put a copy of finished runs and their images into the working folder."""
    shutil.copytree(finished_runs, tmp_path, dirs_exist_ok=True)
    monkeypatch.setenv("KERASEXP_CACHE", str(tmp_path / "cache"))


def right(run: Path) -> np.ndarray:
    return np.array([int(row["correct"]) for row in csv.DictReader((run / "predictions.csv").open())])


def test_differences_are_of_the_same_images(cli):
    answer = cli("compare", *TWO, "--format", "json")
    assert (answer.code, answer.err) == (0, "")
    found = json.loads(answer.out)
    first, second = (right(run) for run in TWO)
    difference = found["runs"][1]["difference"]
    assert difference["difference"] == pytest.approx(second.mean() - first.mean())
    assert difference["only_first"] == np.sum(first & (1 - second)) and difference["only_this"] == np.sum(
        second & (1 - first)
    )
    assert difference["p_value"] == pytest.approx(mcnemar(difference["only_first"], difference["only_this"]))
    assert difference["low"] <= difference["difference"] <= difference["high"]
    assert found["runs"][0]["difference"] is None and found["reference"] == "tiny"
    for run, path in zip(found["runs"], TWO, strict=True):
        metrics = json.loads((path / "metrics.json").read_text())
        assert run["test"]["accuracy"] == metrics["test"]["accuracy"] and run["epochs"] == metrics["epochs"]
    assert found["settings_that_differ"] == {
        "training.epochs": {"tiny": 3, "worse": 1},
        "training.optimizer.learning_rate": {"tiny": 0.01, "worse": 0.00001},
    }


def test_operations_stand_beside_the_parameters_and_older_runs_have_a_dash(cli):
    manifests = [json.loads((run / "manifest.json").read_text()) for run in TWO]
    found = json.loads(cli("compare", *TWO, "--format", "json").out)
    assert [run["flops"] for run in found["runs"]] == [manifest["flops"] for manifest in manifests]
    older = {key: value for key, value in manifests[1].items() if key != "flops"}
    (TWO[1] / "manifest.json").write_text(json.dumps(older))
    table = cli("compare", *TWO).out
    assert re.search(rf"FLOPs\W+{manifests[0]['flops']:,}\W+–", table)


def test_the_table_does_not_wait_for_the_page(cli, monkeypatch):
    def full(*arguments):
        raise RunError("the disk is full")

    monkeypatch.setattr("kerasexp.comparison.compare.write_page", full)
    answer = cli("compare", *TWO)
    assert answer.code == 1 and "the disk is full" in answer.err
    assert "tiny is better on these images" in answer.out


def test_the_table_and_the_page_say_the_same(cli):
    answer = cli("compare", *TWO, "--output", "page.html")
    assert answer.code == 0 and answer.last_line == "page.html"
    page = Path("page.html").read_text()
    found = json.loads(cli("compare", *TWO, "--format", "json").out)["runs"][1]
    verdict = found["difference"]["verdict"]
    assert verdict in answer.out and verdict in page and f"{found['test']['accuracy']:.4f}" in answer.out
    assert f"{found['test']['accuracy']:.4f}" in page and "training.optimizer.learning_rate" in page
    assert "Each run is one training" in answer.out and "Each run is one training" in page
    assert "http://" not in page and "https://" not in page
    # Step 0 is recorded, so that the start is compared as well.
    assert "to 99 % of the best val accuracy" in answer.out and page.count("data:image/png;base64,") >= 3


def test_images_that_only_one_run_classifies_correctly_are_shown(cli):
    cli("compare", *TWO)
    page = Path("comparison.html").read_text()
    first, second = (right(run) for run in TWO)
    only = int(np.sum(first & (1 - second)))
    assert only > 0 and f"Images that only tiny classifies correctly: {only}" in page


def test_other_test_images_mean_no_difference(cli):
    answer = cli("compare", TWO[0], "runs/elsewhere")
    assert answer.code == 0 and "do not hold the same images" in answer.out and "McNemar p" not in answer.out
    found = json.loads(cli("compare", TWO[0], "runs/elsewhere", "--format", "json").out)
    assert found["runs"][1]["difference"] is None
    assert "do not hold the same images" in Path("comparison.html").read_text()


def test_other_preprocessing_of_the_same_images_is_the_same_test(cli):
    found = json.loads(cli("compare", TWO[0], "runs/larger", "--format", "json").out)
    assert found["runs"][1]["difference"] is not None


def test_a_folder_of_runs_means_its_newest_and_runs_of_one_name_are_numbered(cli):
    found = json.loads(cli("compare", "runs/tiny/1", "runs/tiny", "--format", "json").out)
    assert [run["name"] for run in found["runs"]] == ["tiny 1", "tiny 2"]
    assert [run["seed"] for run in found["runs"]] == [0, 1]


def test_without_the_images_the_rest_is_compared(cli):
    experiment = TWO[0] / "experiment.yaml"
    experiment.write_text(re.sub("path: .*images", "path: gone", experiment.read_text()))
    answer = cli("compare", *TWO)
    assert answer.code == 0 and "McNemar p" in answer.out
    assert "cannot be shown" in Path("comparison.html").read_text()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["runs/tiny/1"], "got 1; give 2 to 12 runs"),
        (["runs/tiny", "runs/tiny/2"], "is the same run"),
        (["runs/tiny/1", "nowhere"], "nowhere: no such run directory"),
        (["runs/tiny/1", "images"], "images: is not a run directory"),
        (["runs/tiny/1", "broken"], "broken: is not finished: its status is failed"),
        (["runs/tiny/1", "tiny.yaml"], "tiny.yaml: is not a run directory"),
        (
            ["runs/tiny/1", "runs/tiny/2", "--output", "page.png"],
            "page.png: --output: the name of the page must end in .html",
        ),
        (["runs/tiny/1", "runs/tiny/2", "--output", "no/page.html"], "no: --output: no such folder"),
        (["runs/tiny/1", "cut"], "cut/predictions.csv: is not a table of predictions"),
    ],
)
def test_mistakes_are_errors(cli, given, said):
    for name, change in (("broken", "manifest.json"), ("cut", "predictions.csv")):
        folder = Path(name)
        folder.mkdir()
        for file in Path("runs/tiny/1").glob("*.*"):
            if file.is_file():
                (folder / file.name).write_bytes(file.read_bytes())
        text = (folder / change).read_text()
        (folder / change).write_text(text.replace('"finished"', '"failed"') if name == "broken" else text[:300])
    answer = cli("compare", *given)
    assert answer.code == 2 and said in answer.err and "Traceback" not in answer.err
    assert not Path("comparison.html").exists()


def test_warnings_and_remarks_have_a_kind():
    notes = compare([read_finished(path) for path in (TWO[0], Path("runs/elsewhere"))]).notes
    assert [note.kind for note in notes if "do not hold the same images" in note.text] == ["warning"]
    assert [note.kind for note in notes if note.text.startswith("Each run is one training")] == ["remark"]
