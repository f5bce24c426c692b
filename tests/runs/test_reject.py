"""`report.reject`: the threshold in a run, its checkpoint, `predict`, `evaluate` and from Python."""

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest

import kerasexp
from kerasexp.saving.fitted_values import read_calibration, write_calibration

KEYS = ("--set", "report.reject.error=0.3")


@pytest.fixture
def run(cli, tiny_yaml) -> Path:
    answer = cli("run", tiny_yaml, *KEYS)
    assert answer.code == 0, answer.err
    return Path(answer.last_line)


def test_a_run_says_what_is_answered_and_keeps_the_threshold(run):
    found = json.loads((run / "metrics.json").read_text())["reject"]
    assert found["allowed_error"] == 0.3 and found["val"]["error"] <= 0.3
    assert 0 <= found["test"]["answered"] <= 1 and found["test"]["images"] == 12
    assert read_calibration(run / "checkpoint").reject_threshold == found["threshold"]
    assert "Reject: " in (run / "report.html").read_text()


def test_predict_gives_unknown_below_the_threshold(cli, run):
    temperature = read_calibration(run / "checkpoint").temperature
    everything = json.loads(cli("predict", run, "images", "--format", "json", "--threshold", 0).out)
    middle = float(np.median([image["probability"] for image in everything]))
    write_calibration(run / "checkpoint", temperature, middle)
    answer = cli("predict", run, "images", "--format", "json")
    found = json.loads(answer.out)
    unknown = [image for image in found if image.get("is_unknown")]
    assert 0 < len(unknown) < len(found)
    assert all(image["class"] == "unknown" and image["probability"] < middle for image in unknown)
    assert all(image["top"] == full["top"] for image, full in zip(found, everything, strict=True))
    assert f"{len(unknown)} of {len(found)} images unknown" in answer.err
    rows = list(csv.DictReader(io.StringIO(cli("predict", run, "images", "--format", "csv").out)))
    assert sum(row["class"] == "unknown" for row in rows) == len(unknown)
    table = cli("predict", run, "images").out
    assert table.count("  unknown: ") == len(unknown)
    evaluated = json.loads(
        cli("evaluate", run, "--data", "image_folder", "--data-path", "images", "--format", "json").out
    )
    assert evaluated["reject"]["threshold"] == middle
    assert evaluated["reject"]["answered"] == pytest.approx(1 - len(unknown) / len(found))
    predicted = kerasexp.open_checkpoint(run).predict("images")
    assert predicted.is_unknown.sum() == len(unknown)


def test_probabilities_of_predict_are_calibrated(cli, run):
    write_calibration(run / "checkpoint", 1.0)
    plain = kerasexp.open_checkpoint(run).predict("images").probabilities
    write_calibration(run / "checkpoint", 2.0)
    calibrated = kerasexp.open_checkpoint(run).predict("images").probabilities
    expected = np.sqrt(plain) / np.sqrt(plain).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(calibrated, expected, atol=1e-5)


@pytest.mark.parametrize("given", ["1.5", "-0.1", "often"])
def test_a_threshold_is_a_probability(cli, run, given):
    answer = cli("predict", run, "images", "--threshold", given)
    assert answer.code == 2 and "--threshold" in answer.err


def test_a_damaged_threshold_is_refused(cli, run):
    (run / "checkpoint" / "calibration.json").write_text(json.dumps({"temperature": 1, "reject_threshold": "high"}))
    answer = cli("predict", run, "images")
    assert answer.code == 2 and "reject_threshold is 'high'; it must be from 0 to 1" in answer.err


def test_labels_of_what_an_image_is_not_cannot_be_rejected(cli, tiny_yaml):
    answer = cli("check", tiny_yaml, *KEYS, "--set", "training.decode=argmin")
    assert answer.code == 2 and "report.reject: needs labels of val that say what an image is" in answer.err
