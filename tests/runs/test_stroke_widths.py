"""`report.stroke_widths` in a run: the numbers, the sentence and the plot, also when it is drawn again or was resumed."""

import json
import shutil
from pathlib import Path

import pytest

NAMES = ("accuracy", "accuracy_low", "accuracy_high")
KEYS = ("--set", "report.stroke_widths=[0.5, 1.5]")


def measured(run: Path) -> dict:
    return json.loads((run / "metrics.json").read_text())


@pytest.mark.plots
def test_a_run_has_the_numbers_and_the_plot(cli, tiny_yaml):
    answer = cli("run", tiny_yaml, *KEYS)
    run, metrics = Path(answer.last_line), measured(Path(answer.last_line))
    found = metrics["stroke_widths"]
    assert [row["factor"] for row in found["factors"]] == [0.5, 1, 1.5] and found["images"] == 10
    own = found["factors"][1]
    assert {name: own[name] for name in NAMES} == {name: metrics["val"][name] for name in NAMES}
    assert "val by stroke width: accuracy" in answer.out and "notes" not in metrics
    page = (run / "report.html").read_text()
    assert "Stroke width: the pen of val is" in page
    plot = run / "plots" / "stroke_widths.png"
    plot.unlink()
    shutil.rmtree("images")  # drawn again from the saved numbers alone
    assert cli("report", run).code == 0
    assert plot.exists() and "Stroke width: the pen of val is" in (run / "report.html").read_text()
    assert measured(run) == metrics


def test_a_resumed_run_measures_them_for_its_last_epochs(cli, tiny_yaml):
    run = Path(cli("run", tiny_yaml, "--set", "training.epochs=1").last_line)
    assert "stroke_widths" not in measured(run)
    again = Path(cli("run", tiny_yaml, *KEYS, "--resume").last_line)
    assert again == run
    metrics = measured(run)
    assert metrics["epochs"] == 3 and metrics["stroke_widths"]["factors"][1]["accuracy"] == metrics["val"]["accuracy"]


def test_what_cannot_be_measured_is_a_note_and_the_run_finishes(cli, tiny_yaml, monkeypatch):
    monkeypatch.setattr("kerasexp.evaluation.stroke_width_metrics.find_strokes", lambda image: None)
    answer = cli("run", tiny_yaml, *KEYS)
    metrics = measured(Path(answer.last_line))
    assert answer.code == 0 and "stroke_widths" not in metrics
    assert metrics["notes"] == ["val: stroke widths are not measured: no image of val has ink"]


@pytest.mark.slow
def test_a_stand_in_is_measured_too(cli, tiny_yaml):
    keys = ("data.path=absent.zip", "data.offline=rendered_scans", "data.labels.at_most=310", "training.epochs=1")
    sets = [part for key in keys for part in ("--set", key)]
    answer = cli("run", tiny_yaml, *sets, *KEYS)
    assert answer.code == 0, answer.err
    rows = measured(Path(answer.last_line))["stroke_widths"]["factors"]
    assert all("case_insensitive_accuracy" in row for row in rows)
