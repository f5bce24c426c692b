"""A run from end to end, as the contract promises it."""

import csv
import json
import zipfile
from pathlib import Path

import keras
import numpy as np
import pytest
import yaml

FILES = {
    "experiment.yaml",
    "manifest.json",
    "history.csv",
    "metrics.json",
    "predictions.csv",
    "report.html",
    "checkpoint/model.keras",
    "checkpoint/model_raw.keras",
    "checkpoint/README.md",
    "checkpoint/classes.json",
    "checkpoint/preprocessing.json",
    "checkpoint/calibration.json",
    "confusion.csv",
    "gradients.csv",
    "state/000003-000000000.npz",
    *(
        f"plots/{name}.png"
        for name in (
            "augmented", "class_counts", "confused_pairs", "confusion", "confusion_normalised", "curves", "embedding",
            "feature_maps", "filters", "grad_cam", "gradient_flow", "information", "label_table", "mistakes", "ranking",
            "reliability", "risk_coverage", "samples",
        )
    ),
}  # fmt: skip


def files_of(run: Path) -> set[str]:
    found = {p.relative_to(run).as_posix() for p in run.rglob("*") if p.is_file()}
    return {name for name in found if not name.startswith("tensorboard/")}


def weights(run: Path) -> list[np.ndarray]:
    return keras.models.load_model(run / "checkpoint" / "model.keras").get_weights()


@pytest.mark.plots
def test_run_leaves_exactly_the_promised_files_and_answers_with_the_directory(cli, tiny_yaml):
    # At this rate the model makes mistakes on test, which have plots of their own.
    answer = cli("run", tiny_yaml, "--set", "training.optimizer.learning_rate=0.001")
    assert (answer.code, answer.err) == (0, "")
    run = Path(answer.last_line)
    assert run == Path("runs/tiny/1")
    assert files_of(run) == FILES
    assert any(p.name.startswith("events.") for p in (run / "tensorboard" / "validation").iterdir())
    metrics = json.loads((run / "metrics.json").read_text())
    assert metrics["epochs"] == 3 and metrics["train_seconds"] > 0
    assert {"accuracy", "loss", "macro_f1", "macro_recall"} <= metrics["test"].keys() & metrics["val"].keys()
    history = list(csv.DictReader((run / "history.csv").open()))
    assert [row["epoch"] for row in history] == ["1", "2", "3"]
    manifest = json.loads((run / "manifest.json").read_text())
    assert manifest["status"] == "finished" and manifest["stand_ins"] == []
    assert manifest["data"]["images"] == {"train": 38, "val": 10, "test": 12}


def test_predictions_csv_has_a_row_per_test_image_and_agrees_with_the_metrics(cli, tiny_yaml):
    run = Path(cli("run", tiny_yaml).last_line)
    rows = list(csv.DictReader((run / "predictions.csv").open()))
    metrics = json.loads((run / "metrics.json").read_text())["test"]
    assert len(rows) == metrics["images"] == 12
    assert np.mean([row["true"] == row["predicted"] for row in rows]) == pytest.approx(metrics["accuracy"], abs=1e-12)
    log_likelihood = [np.log(float(row[f"p_{row['true']}"])) for row in rows]
    assert -np.mean(log_likelihood) == pytest.approx(metrics["loss"], abs=1e-9)


def test_the_saved_experiment_repeats_the_run_bit_for_bit(cli, tiny_yaml):
    first = Path(cli("run", tiny_yaml).last_line)
    second = Path(cli("run", first / "experiment.yaml", "--run-dir", "again").last_line)
    for one, other in zip(weights(first), weights(second), strict=True):
        np.testing.assert_array_equal(one, other)
    same = ("experiment.yaml", "predictions.csv")
    assert all((first / name).read_text() == (second / name).read_text() for name in same)
    one, other = (json.loads((run / "metrics.json").read_text()) for run in (first, second))
    assert (one["val"], one["test"]) == (other["val"], other["test"])


def test_a_run_whose_images_stay_on_disk_is_the_same_bit_for_bit(cli, tiny_yaml, monkeypatch):
    first = Path(cli("run", tiny_yaml).last_line)
    monkeypatch.setattr("kerasexp.data.image_cache.MAX_IN_MEMORY", 1000)
    second = Path(cli("run", tiny_yaml).last_line)
    for one, other in zip(weights(first), weights(second), strict=True):
        np.testing.assert_array_equal(one, other)
    assert (first / "predictions.csv").read_text() == (second / "predictions.csv").read_text()
    manifests = [json.loads((run / "manifest.json").read_text()) for run in (first, second)]
    assert manifests[0]["data"]["fingerprint"] == manifests[1]["data"]["fingerprint"]


def test_another_seed_gives_other_weights_on_the_same_split(cli, tiny_yaml):
    first, second = (Path(cli("run", tiny_yaml, "--set", f"seed={seed}").last_line) for seed in (0, 1))
    assert any(not np.array_equal(a, b) for a, b in zip(weights(first), weights(second), strict=True))
    manifests = [json.loads((run / "manifest.json").read_text()) for run in (first, second)]
    assert manifests[0]["data"]["fingerprint"] == manifests[1]["data"]["fingerprint"]
    assert manifests[0]["key"] != manifests[1]["key"]


def test_run_dir_is_taken_exactly_and_not_when_occupied(cli, tiny_yaml, tmp_path):
    answer = cli("run", tiny_yaml, "--run-dir", "here/it", "--set", "training.epochs=1")
    assert answer.last_line == "here/it" and Path("here/it/model.keras").parent.is_dir()
    before = files_of(tmp_path / "here")
    again = cli("run", tiny_yaml, "--run-dir", "here/it")
    assert again.code == 2 and "here/it" in again.err and "Traceback" not in again.err
    assert files_of(tmp_path / "here") == before


def test_model_keras_is_plain_keras(cli, tiny_yaml):
    """No class of ours, no optimizer: it loads where kerasexp is not installed."""
    run = Path(cli("run", tiny_yaml, "--set", "training.loss={name: cross_entropy, label_smoothing: 0.1}").last_line)
    with zipfile.ZipFile(run / "checkpoint" / "model.keras") as archive:
        config = archive.read("config.json").decode()
    assert "kerasexp" not in config
    assert not json.loads(config).get("compile_config")
    assert getattr(keras.models.load_model(run / "checkpoint" / "model.keras"), "optimizer", None) is None


@pytest.mark.plots
def test_report_is_one_file_with_the_figures(cli, tiny_yaml):
    run = Path(cli("run", tiny_yaml).last_line)
    page = (run / "report.html").read_text()
    accuracy = json.loads((run / "metrics.json").read_text())["test"]["accuracy"]
    assert f"{accuracy:.4f}" in page and "0.5000" in page and "made up" in page
    assert (
        "data:image/png;base64," in page
        and "http://" not in page
        and "https://" not in page
        and "<script src" not in page
    )


def test_a_corrupt_image_is_named_and_left_out(cli, tiny_yaml, images):
    (images / "disc" / "cut.png").write_bytes((images / "disc" / "00.png").read_bytes()[:60])
    (images / "disc" / "empty.png").touch()
    answer = cli("run", tiny_yaml, "--set", "training.epochs=1")
    assert answer.code == 0 and "disc/cut.png" in answer.out and "disc/empty.png" in answer.out
    manifest = json.loads((Path(answer.last_line) / "manifest.json").read_text())
    assert [f["file"] for f in manifest["data"]["left_out"]] == ["disc/cut.png", "disc/empty.png"]
    assert "disc/cut.png" in (Path(answer.last_line) / "report.html").read_text()


def test_on_corrupt_error_stops_and_leaves_nothing(cli, tiny_yaml, images):
    (images / "disc" / "empty.png").touch()
    answer = cli("run", tiny_yaml, "--set", "data.on_corrupt=error")
    assert answer.code == 1 and "disc/empty.png" in answer.err
    assert not Path("runs").exists()


def test_a_loss_that_explodes_is_told_with_its_place(cli, tiny_yaml):
    answer = cli(
        "run", tiny_yaml, "--set", "training.optimizer={name: sgd, learning_rate: 100}", "--set", "training.epochs=20"
    )
    assert answer.code == 1 and "not finite" in answer.err and "learning_rate" in answer.err
    manifest = json.loads(Path("runs/tiny/1/manifest.json").read_text())
    assert manifest["status"] == "failed" and "not finite" in manifest["cause"]


def test_a_stand_in_is_announced_first_everywhere(cli, tmp_path, monkeypatch):
    monkeypatch.setattr("kerasexp.data.sources.mnist.URL", "http://127.0.0.1:9/mnist.npz")
    path = tmp_path / "offline.yaml"
    path.write_text("data: {source: mnist, offline: digits}\nmodel: {name: mlp}\ntraining: {epochs: 1}\n")
    answer = cli("run", path)
    assert answer.code == 0
    assert answer.out.startswith("STAND-IN: 'digits' stands in for 'mnist'")
    run = Path(answer.last_line)
    assert "'digits' stands in for 'mnist'" in "".join((run / "manifest.json").read_text().splitlines()[:5])
    page = (run / "report.html").read_text()
    assert page.index("Stand-in:") < page.index("<h1>")


@pytest.mark.parametrize("precision", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision_trains_and_predicts_in_float32(cli, tiny_yaml, precision):
    run = Path(
        cli("run", tiny_yaml, "--set", f"training.precision={precision}", "--set", "training.epochs=1").last_line
    )
    assert json.loads((run / "manifest.json").read_text())["precision"] == precision
    model = keras.models.load_model(run / "checkpoint" / "model.keras")
    assert model.output.dtype == "float32"
    assert yaml.safe_load((run / "experiment.yaml").read_text())["training"]["precision"] == precision


@pytest.mark.parametrize("kind", ["host", "device"])
def test_exhausted_memory_names_the_batch_size(cli, tiny_yaml, monkeypatch, kind):
    import tensorflow as tf

    def exhausted(*arguments, **keywords):
        raise MemoryError if kind == "host" else tf.errors.ResourceExhaustedError(None, None, "OOM when allocating")

    monkeypatch.setattr(keras.Model, "fit", exhausted)
    answer = cli("run", tiny_yaml)
    assert answer.code == 1 and "training.batch_size 8; try half of it" in answer.err and "Traceback" not in answer.err
    assert json.loads(Path("runs/tiny/1/manifest.json").read_text())["status"] == "failed"
