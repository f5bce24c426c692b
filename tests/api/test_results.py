"""What a finished run and a comparison give: plain values, arrays, and HTML for notebooks."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

import kerasexp
from kerasexp.saving.checkpoint import load_checkpoint


@pytest.fixture
def runs(finished_runs, tmp_path) -> Path:
    shutil.copytree(finished_runs / "runs", tmp_path / "runs")
    shutil.copytree(finished_runs / "images", tmp_path / "images")
    return tmp_path / "runs"


def test_a_run_gives_what_its_files_hold(runs):
    run = kerasexp.open_run("runs/tiny")
    assert run.path == runs / "tiny" / "2" and run.name == "tiny" and run.experiment.seed == 1
    assert run.metrics == json.loads((run.path / "metrics.json").read_text())
    assert run.manifest["status"] == "finished" and run.report.is_file()
    assert run.history["epoch"].tolist() == [1, 2, 3] and run.history["loss"].dtype == np.float64
    accuracy = run.metrics["test"]["accuracy"]
    assert repr(run).startswith(f"<Run tiny: test accuracy {accuracy:.4f} (95 % interval") and "runs/tiny/2>" in repr(
        run
    )


def test_a_run_is_opened_and_shown_without_tensorflow(runs):
    code = "import kerasexp, sys; run = kerasexp.open_run('runs/tiny'); html = run._repr_html_(); run.predictions"
    code += "; sys.exit('tensorflow' in sys.modules or 'accuracy' not in html)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_trial_of_a_search_is_measured_on_val(runs):
    metrics = runs / "tiny" / "1" / "metrics.json"
    metrics.write_text(
        json.dumps({key: value for key, value in json.loads(metrics.read_text()).items() if key != "test"})
    )
    trial = kerasexp.open_run("runs/tiny/1")
    assert repr(trial).startswith("<Run tiny: val accuracy ") and "95 % interval of val" in trial._repr_html_()
    with pytest.raises(kerasexp.UserError, match="is a trial of a search, which is measured on val alone"):
        kerasexp.compare(["runs/tiny/1", "runs/worse"])


def test_predictions_are_arrays(runs):
    run = kerasexp.open_run("runs/worse")
    found = run.predictions
    assert len(found) == run.metrics["test"]["images"] == len(found.names)
    assert found.class_names.tolist() == ["across", "disc", "upright"]
    assert found.probabilities.shape == (len(found), 3) and found.probabilities.dtype == np.float32
    assert found.correct.mean() == pytest.approx(run.metrics["test"]["accuracy"])
    assert (found.classes == found.class_names[found.y_pred]).all()
    mistakes = found.mistakes()
    assert len(mistakes) == (~found.correct).sum() > 1 and (np.diff(found.confidence[mistakes]) <= 0).all()
    assert found.mistakes(1).tolist() == mistakes[:1].tolist()
    assert repr(found).splitlines()[0] == f"{len(found)} predictions" and repr(found).endswith("more)")


def test_a_run_is_found_after_the_working_folder_has_changed(runs, tmp_path):
    run = kerasexp.open_run("runs/tiny/1")
    comparison = kerasexp.compare([run, "runs/worse"])
    (tmp_path / "other").mkdir()
    os.chdir(tmp_path / "other")
    assert len(run.predictions) and len(comparison.runs[0].predictions)
    assert run.model().output_shape == (None, 3)


def test_files_arrays_and_pillow_images_are_predicted_alike(runs):
    run = kerasexp.open_run("runs/tiny/1")
    names = ["images/disc/00.png", "images/across/01.png"]
    arrays = [cv2.imread(name, cv2.IMREAD_GRAYSCALE) for name in names]
    expected = run.predict(names)
    assert expected.names.tolist() == names and expected.y_true is None and expected.correct is None
    others = [
        run.predict(list(map(Path, names))),
        run.predict(arrays),
        run.predict(np.stack(arrays)),
        run.predict(np.stack(arrays) / 255),
        run.predict(np.repeat(np.stack(arrays)[..., np.newaxis], 3, axis=3)),
        run.predict([Image.open(name) for name in names]),
        run.predict([Image.open(names[0]).convert("RGBA"), arrays[1][..., np.newaxis]]),
    ]
    for found in others:
        np.testing.assert_allclose(found.probabilities, expected.probabilities, atol=0.02)
    assert run.predict(arrays).names.tolist() == ["image 0", "image 1"]
    assert len(run.predict("images/disc")) == 20 and len(run.predict(arrays[0])) == 1 and len(run.predict([])) == 0
    model = run.model()
    assert model is not run.model() and model.input_shape == (None, 16, 16, 1)
    np.testing.assert_array_equal(load_checkpoint(run.checkpoint).model.get_weights()[0], model.get_weights()[0])


def test_images_of_different_sizes_are_predicted_together(runs):
    run = kerasexp.open_run("runs/tiny/1")
    page = cv2.imread("images/disc/00.png", cv2.IMREAD_GRAYSCALE)
    large = cv2.resize(page, None, fx=2, fy=2, interpolation=cv2.INTER_NEAREST)
    found = run.predict([page, large])
    assert found.classes.tolist() == [found.classes[0]] * 2


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ("nix.png", "nix.png: no such file or folder"),
        (3, "images: got int; paths, arrays or Pillow's images are needed here"),
        (np.zeros(5, np.uint8), r"image 0: has the shape \(\); an image is"),
        (np.zeros((2, 2, 5, 4), np.uint8), r"image 0: has the shape \(2, 5, 4\); an image is"),
        (np.full((9, 9), 30.0), "image 0: has the values 30 to 30; give uint8 from 0 to 255, or floats from 0 to 1"),
        (np.full((9, 9), -300.0), "image 0: has the values -300 to -300; give uint8"),
        (np.full((9, 9), np.nan), "image 0: data.range: it has the pixel nan"),
        (np.full((9, 9), "x"), "image 0: has pixels of type <U1; numbers are needed"),
    ],
)
def test_what_is_no_image_is_refused(runs, given, text):
    with pytest.raises(kerasexp.UserError, match=text):
        kerasexp.open_run("runs/tiny/1").predict(given)


def test_a_checkpoint_that_is_gone_and_a_run_that_is_none_are_reported(runs):
    shutil.rmtree("runs/worse/1/checkpoint")
    run = kerasexp.open_run("runs/worse")
    assert len(run.predictions) and "worse" in run._repr_html_()
    with pytest.raises(kerasexp.UserError, match="checkpoint: no such file or folder"):
        run.model()
    with pytest.raises(kerasexp.UserError, match="no such run directory"):
        kerasexp.open_run("runs/nix")


def test_a_comparison_gives_verdicts_values_and_a_page(runs, cli):
    first = kerasexp.open_run("runs/tiny/1")
    comparison = kerasexp.compare([first, "runs/worse"], output="c.html")
    answer = cli("compare", "runs/tiny/1", "runs/worse")
    assert f"{comparison}\ncomparison.html\n" == answer.out
    assert comparison.report == Path("c.html").resolve() and comparison.report.is_file()
    assert len(comparison.verdicts) == 1 and comparison.verdicts[0].startswith("worse against tiny: ")
    assert comparison.results["runs"][1]["difference"]["difference"] < 0
    assert [run.name for run in comparison.runs] == ["tiny", "worse"] and repr(
        comparison
    ) == "<RunComparison of tiny, worse>"
    assert kerasexp.compare([first, "runs/worse"]).report is None
    with pytest.raises(kerasexp.UserError, match="give 2 to 12 runs"):
        kerasexp.compare([first])
    for given in ("runs/tiny/1", first, [first, 3]):
        with pytest.raises(kerasexp.UserError, match="runs: give a list of runs or their directories"):
            kerasexp.compare(given)


def test_html_shows_metrics_curves_and_mistakes(runs):
    run = kerasexp.open_run("runs/worse")
    page = run._repr_html_()
    test = run.metrics["test"]
    assert f"{test['accuracy_low']:.4f} to {test['accuracy_high']:.4f}" in page and "<script" not in page
    assert page.count("data:image/png;base64,") == 1 and "The most confident mistakes" in page
    first = run.predictions.mistakes(1)[0]
    assert f">{run.predictions.names[first]}</td>" in page
    (run.path / "plots" / "mistakes.png").write_bytes(cv2.imencode(".png", np.zeros((8, 8), np.uint8))[1].tobytes())
    assert run._repr_html_().count("data:image/png;base64,") == 2
    table = kerasexp.compare([run, "runs/tiny/1"])._repr_html_()
    assert "McNemar p" in table and table.count("<tr>") > 20
    for text in (page, table):
        assert len(re.findall("<div", text)) == len(re.findall("</div>", text)) and "{{" not in text


def test_names_are_escaped_in_html(runs):
    manifest = runs / "worse" / "1" / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"name": "worse"', '"name": "<b>worse"'))
    assert "&lt;b&gt;worse" in kerasexp.open_run("runs/worse")._repr_html_()
