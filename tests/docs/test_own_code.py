"""The chapter on code of one's own: its files in a folder outside the project, each experiment run."""

import json
import re
import sqlite3
import subprocess
import sys
from pathlib import Path

import cv2
import keras
import numpy as np
import pytest
from doc_pages import ROOT
from sklearn.datasets import load_digits

PAGE = (ROOT / "docs" / "extending.md").read_text()
CHAPTER = PAGE.partition("## Your own code, without a fork\n")[2].partition("\n## ")[0]
FILES = dict(re.findall(r"^```(?:python|yaml)\n# (\S+)\n(.*?)^```$", CHAPTER, re.MULTILINE | re.DOTALL))
# Experiment -> the lowest test accuracy that shows that it learns; chance is 0.1.
EXPERIMENTS = {"unet": 0.3, "my_loss": 0.3, "my_source": 0.5, "my_augmentation": 0.2, "my_metric": 0.3}


def write_database(path: Path) -> None:
    """Digits as PNG files in a table, of ten writers."""
    digits = load_digits()
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE images (png BLOB, label TEXT, name TEXT)")
    for number, (image, label) in enumerate(zip(digits.images[:600], digits.target, strict=False)):
        png = cv2.imencode(".png", (image * 15).astype(np.uint8))[1].tobytes()
        connection.execute(
            "INSERT INTO images VALUES (?, ?, ?)", (png, str(label), f"writer{number % 20:02d}-{number:04d}")
        )
    connection.commit()


@pytest.fixture
def folder(tmp_path) -> Path:
    """A folder with all files of the chapter."""
    place = tmp_path / "elsewhere"
    place.mkdir()
    for name, text in FILES.items():
        (place / name).write_text(text)
    write_database(place / "digits.sqlite")
    return place


def test_there_are_five_examples():
    assert FILES.keys() == {f"{name}.{ending}" for name in EXPERIMENTS for ending in ("py", "yaml")}


@pytest.mark.slow
@pytest.mark.parametrize("name", EXPERIMENTS)
def test_the_example_runs(cli, folder, name):
    checked = cli("check", folder / f"{name}.yaml")
    assert checked.code == 0, checked.err
    answer = cli("run", folder / f"{name}.yaml", "--set", "report.plots=false")
    assert answer.code == 0, answer.err
    run = Path(answer.last_line)
    metrics = json.loads((run / "metrics.json").read_text())
    assert metrics["test"]["accuracy"] > EXPERIMENTS[name]
    assert (run / "code" / f"{name}.py").read_text() == FILES[f"{name}.py"]
    if name == "my_metric":
        assert 0 < metrics["test"]["kappa"] <= 1 and "kappa" in (run / "report.html").read_text()
    if name == "my_source":
        assert metrics["test"]["images"] == 60  # of two writers


@pytest.mark.slow
def test_a_model_a_loss_and_a_source_are_killed_resumed_predicted_from_and_exported(cli, folder, tmp_path):
    """As in an ordinary run: bit for bit, and refused where the code is another's."""
    (folder / "all.yaml").write_text(
        "base: [my_source.yaml, my_loss.yaml]\nmodel: {name: unet.py:build, width: 4}\n"
        "data: {preprocessing: {size: [8, 8]}, groups: null, augmentation: {layers: [my_augmentation.py:noisy]}}\n"
        "training: {epochs: 4, save_minutes: 0.001}\nreport: {plots: false}\n"
    )
    command = [sys.executable, "-m", "kerasexp", "run", str(folder / "all.yaml"), "--run-dir"]
    whole = subprocess.run([*command, "whole"], capture_output=True, text=True)
    assert whole.returncode == 0, whole.stderr
    process = subprocess.Popen([*command, "killed"], stdout=subprocess.PIPE, text=True)
    for line in process.stdout:
        if line.startswith("epoch 2/"):
            process.kill()
    process.communicate()
    assert json.loads(Path("killed/manifest.json").read_text())["status"] == "running"
    resumed = subprocess.run([*command, "killed", "--resume"], capture_output=True, text=True)
    assert resumed.returncode == 0 and "resuming" in resumed.stdout, resumed.stderr
    models = [
        keras.models.load_model(Path(run, "checkpoint", "model.keras"), compile=False) for run in ("whole", "killed")
    ]
    for ours, theirs in zip(*(model.get_weights() for model in models), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert Path("whole/predictions.csv").read_bytes() == Path("killed/predictions.csv").read_bytes()
    cv2.imwrite("digit.png", (load_digits().images[0] * 15).astype(np.uint8))
    assert cli("predict", "killed", "digit.png").code == 0
    assert cli("export", "killed", "--format", "litert", "--output", "out.tflite", "--images", "digit.png").code == 0
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "all.yaml").write_text(f"base: {folder}/all.yaml\n")
    (folder / "unet.py").write_text(FILES["unet.py"] + "\n# changed by somebody\n")
    refused = cli("run", tmp_path / "mine" / "all.yaml")
    assert refused.code == 2 and "unet.py" in refused.err and "--trust-code" in refused.err
