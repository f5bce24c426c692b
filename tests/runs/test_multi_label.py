"""Runs with several labels an image, from the experiment to the export."""

import csv
import json
import shutil
from pathlib import Path

import keras
import numpy as np
import pytest
from digit_pairs import digit_pairs, write_pairs
from sklearn import metrics as sk
from user_code import FILES

from kerasexp.saving.checkpoint import load_checkpoint


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    """A folder with `pairs.yaml` and a finished run of it in `run`, with all plots."""
    from kerasexp.config import load_experiment
    from kerasexp.console import QuietConsole
    from kerasexp.runs.run import run_experiment
    from kerasexp.runs.run_request import RunRequest

    folder = tmp_path_factory.mktemp("pairs")
    path = write_pairs(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("KERASEXP_CACHE", str(folder / "cache"))
        watched = ["training.validate_at=[0, 5]", "report.plots=true"]
        run_experiment(RunRequest(load_experiment(path, watched), run_dir=Path("run")), QuietConsole())
    return folder


@pytest.fixture
def run(finished, tmp_path) -> Path:
    """A copy of the finished run, beside its data."""
    for name in ("pairs.npz", "pairs.yaml"):
        shutil.copy(finished / name, tmp_path / name)
    copied = Path(shutil.copytree(finished / "run", tmp_path / "run"))
    experiment = copied / "experiment.yaml"
    experiment.write_text(experiment.read_text().replace(str(finished), str(tmp_path)))
    return copied


@pytest.fixture
def pictures(tmp_path) -> list[Path]:
    """Three images that are not the run's."""
    from PIL import Image

    images, _ = digit_pairs(3, seed=9)
    paths = [tmp_path / f"new{k}.png" for k in range(3)]
    for path, image in zip(paths, images, strict=True):
        Image.fromarray(image).save(path)
    return paths


def metrics_of(run: Path) -> dict:
    return json.loads((run / "metrics.json").read_text())


def rows_of(run: Path) -> list[dict[str, str]]:
    return list(csv.DictReader((run / "predictions.csv").open()))


def as_array(rows: list[dict[str, str]], column: str) -> np.ndarray:
    return np.array([[str(k) in row[column].split(";") for k in range(10)] for row in rows])


def test_the_files_of_a_run(finished):
    run = finished / "run"
    assert {p.name for p in (run / "checkpoint").iterdir()} == {
        "README.md", "classes.json", "model.keras", "model_raw.keras", "preprocessing.json", "thresholds.json",
    }  # fmt: skip
    assert {p.stem for p in (run / "plots").iterdir()} >= {
        "co_occurrence", "curves", "early_curve", "class_counts", "filters", "feature_maps", "mistakes", "ranking", "samples",
    }  # fmt: skip
    manifest = json.loads((run / "manifest.json").read_text())
    assert manifest["status"] == "finished" and "not_drawn" not in manifest
    assert manifest["data"]["class_names"] == [str(k) for k in range(10)]
    assert json.loads((run / "checkpoint" / "classes.json").read_text())["multi_label"] is True
    assert {"accuracy", "loss", "macro_f1", "macro_recall", "macro_auc"} <= metrics_of(run)["test"].keys()
    page = (run / "report.html").read_text()
    assert "Test exact match <strong>" in page and "is not assessed" in page and "threshold" in page


def test_the_thresholds_f1_is_scikit_learns_on_the_same_predictions(finished):
    run = finished / "run"
    rows, metrics = rows_of(run), metrics_of(run)
    thresholds = np.array([metrics["thresholds"][str(k)] for k in range(10)])
    scores = np.array([[row[f"p_{k}"] for k in range(10)] for row in rows], np.float32)
    true, predicted = as_array(rows, "true"), scores >= thresholds
    assert np.array_equal(as_array(rows, "predicted"), predicted)
    expected = sk.f1_score(true, predicted, average=None, zero_division=0)
    found = [row["f1"] for row in metrics["test"]["per_class"].values()]
    assert found == pytest.approx(expected.tolist(), abs=1e-9)
    assert metrics["test"]["macro_f1"] == pytest.approx(expected.mean(), abs=1e-9)
    assert metrics["test"]["accuracy"] == sk.accuracy_score(true, predicted)
    assert np.mean([row["correct"] == "1" for row in rows]) == metrics["test"]["accuracy"]
    counts = list(csv.reader((run / "confusion.csv").open()))
    assert counts[0] == ["class", "true_negative", "false_positive", "false_negative", "true_positive"]
    assert np.array_equal(
        np.array(counts[1:])[:, 1:].astype(int), sk.multilabel_confusion_matrix(true, predicted).reshape(10, 4)
    )


def test_the_model_learns(finished):
    assert metrics_of(finished / "run")["test"]["macro_auc"] > 0.8


def test_predict_gives_all_labels_above_their_threshold(cli, run, pictures):
    thresholds = metrics_of(run)["thresholds"]
    found = json.loads(cli("predict", run, *pictures, "--format", "json", "--top", 10).out)
    for one in found:
        assert one["file"].startswith(str(run.parent)) and len(one["top"]) == 10
        above = {c["class"] for c in one["top"] if c["probability"] >= round(thresholds[c["class"]], 6)}
        assert {label["class"] for label in one["labels"]} == above
        assert all(c["threshold"] == round(thresholds[c["class"]], 6) for c in one["top"])
    table = cli("predict", run, *pictures).out.splitlines()
    for line, one in zip(table, found, strict=True):
        assert [label["class"] for label in one["labels"]] == line.split()[1::2] or line.endswith("–")
    answer = cli("predict", run, *pictures, "--format", "csv")
    read = list(csv.DictReader(answer.out.splitlines()))
    assert [row["labels"] for row in read] == [";".join(label["class"] for label in one["labels"]) for one in found]
    Path("labels.csv").write_text(answer.out)
    from kerasexp.config.data_section import DataSource
    from kerasexp.data.sources.table import list_table

    listed = list_table(DataSource(source="table", path=str(Path("labels.csv").absolute()), multi_label=True))
    assert len(listed.used) == sum(bool(one["labels"]) for one in found)


def test_evaluate_on_a_table_gives_the_metrics_of_these_images(cli, run, pictures):
    labels = digit_pairs(3, seed=9)[1]
    cells = [" ".join(map(str, np.flatnonzero(row))) for row in labels]
    rows = "".join(f"{path.name},{cell}\n" for path, cell in zip(pictures, cells, strict=True))
    Path("more.csv").write_text(f"image,labels\n{rows}")
    found = json.loads(cli("evaluate", run, "--data", "table", "--data-path", "more.csv", "--format", "json").out)
    assert found["images"] == 3 and found["per_class"]["0"]["support"] == labels[:, 0].sum()
    refused = cli("evaluate", run, "--data", "mnist")
    assert refused.code == 2 and "several labels an image, and source: mnist gives each image one" in refused.err


def test_the_page_is_drawn_again_from_what_was_saved(cli, run, monkeypatch):
    monkeypatch.setenv("KERASEXP_CACHE", str(run.parent / "cache"))
    before = {p.name: p.read_bytes() for p in (run / "plots").iterdir()}
    for path in (run / "plots").iterdir():
        path.unlink()
    answer = cli("report", run)
    assert (answer.code, answer.err) == (0, "")
    again = {p.name: p.read_bytes() for p in (run / "plots").iterdir()}
    assert again.keys() == before.keys() and again["co_occurrence.png"] == before["co_occurrence.png"]


def test_without_its_images_the_page_says_what_that_costs(cli, run):
    (run.parent / "pairs.npz").unlink()
    answer = cli("report", run)
    assert answer.code == 0 and "plots that need the images are left out" in answer.out
    assert (run / "plots" / "co_occurrence.png").is_file() and "not drawn: samples" in answer.out


def test_an_export_has_the_thresholds(cli, run):
    answer = cli("export", run, "--format", "tf_saved_model", "--output", "exported")
    assert answer.code == 0, answer.err
    found = json.loads(Path("exported/assets.extra/kerasexp.json").read_text())
    assert found["thresholds"] == metrics_of(run)["thresholds"] and found["temperature"] is None


@pytest.mark.slow
def test_runs_are_compared_by_exact_match(cli, run):
    other = cli("run", "pairs.yaml", "--set", "seed=1", "--set", "training.epochs=1", "--run-dir", "other")
    assert other.code == 0, other.err
    answer = cli("compare", run, "other")
    assert answer.code == 0, answer.err
    assert "test exact match" in answer.out and "McNemar p" in answer.out and "test Hamming accuracy" in answer.out
    page = Path(answer.last_line).read_text()
    assert "Images that no run classifies correctly" in page


@pytest.mark.slow
def test_weights_of_one_label_an_image_start_a_run_of_several(cli, run):
    np.savez("single.npz", x=digit_pairs(200)[0], y=np.arange(200) % 10)
    text = Path("pairs.yaml").read_text().replace("pairs.npz, multi_label: true", "single.npz")
    Path("single.yaml").write_text(text)
    answer = cli("run", "pairs.yaml", "--set", "init={experiment: single.yaml}", "--set", "training.epochs=1")
    assert answer.code == 0, answer.err
    manifest = json.loads((Path(answer.last_line) / "manifest.json").read_text())
    assert manifest["init"]["layers"] and "logits" not in manifest["init"]["layers"]


@pytest.mark.slow
def test_a_study_and_a_search_of_several_labels(cli, run):
    Path("study.yaml").write_text(
        "base: pairs.yaml\ntraining: {epochs: 1}\nvariants: {a: {}, b: {training: {batch_size: 50}}}\n"
    )
    answer = cli("run", "study.yaml")
    assert answer.code == 0, answer.err
    rate = "optimizer: {learning_rate: {float: [0.001, 0.01], sampling: log}}"
    Path("search.yaml").write_text(
        f"base: pairs.yaml\ntraining: {{epochs: 1, {rate}}}\n"
        f"search: {{algorithm: random, max_trials: 2, objective: val_macro_f1, confirm: []}}\n"
    )
    answer = cli("search", "search.yaml")
    assert answer.code == 0, answer.err


def test_diagnose_says_what_it_cannot_assess(cli, run):
    answer = cli("diagnose", "pairs.yaml")
    assert answer.code == 0, answer.err
    assert "Images have several labels: whether labels are noisy" in answer.out
    assert "images with" in answer.out and "labels of 10 of 10 classes" in answer.out
    refused = cli("diagnose", "pairs.yaml", "--reference", run)
    assert refused.code == 2 and "--reference: assesses one label an image" in refused.err


def test_pack_writes_a_table_that_is_read_again(cli, run):
    refused = cli("pack", "pairs.yaml", "--output", "packed")
    assert (
        refused.code == 2 and "a table of pixels has one label an image; --format images keeps several" in refused.err
    )
    assert cli("pack", "pairs.yaml", "--output", "packed", "--format", "images").code == 0
    from kerasexp.config.data_section import Data, Preprocessing
    from kerasexp.data.prepared_data import prepare

    how = Preprocessing(size=[8, 16])
    again = prepare(Data(source="table", path="packed/table.csv", multi_label=True, preprocessing=how))
    before = prepare(Data(source="npz", path="pairs.npz", multi_label=True, preprocessing=how))
    for name, split in before.splits.items():
        assert np.array_equal(again.splits[name].labels.sum(axis=0), split.labels.sum(axis=0)), name


def test_a_class_without_images_and_a_wrong_weight_are_refused(cli, run):
    images, labels = digit_pairs(100)
    labels[:, 4] = 0
    np.savez("pairs.npz", x=images, y=labels)
    answer = cli("run", "pairs.yaml")
    assert answer.code == 2 and "train has no image of 4" in answer.err
    np.savez("pairs.npz", x=images, y=digit_pairs(100)[1])
    answer = cli("run", "pairs.yaml", "--set", "training.loss.class_weights={12: 2}")
    assert answer.code == 2 and "training.loss.class_weights: '12' is no class of the data" in answer.err


def test_predictions_in_python_are_sets_of_labels(run, pictures):
    import kerasexp

    opened = kerasexp.open_run(run)
    found = opened.predictions
    assert found.y_true.shape == found.y_pred.shape == (len(found), 10) and found.correct.shape == (len(found),)
    assert found.correct.mean() == opened.metrics["test"]["accuracy"]
    rows = rows_of(run)
    assert found.classes.tolist() == [row["predicted"] for row in rows]
    assert found.confidence == pytest.approx([float(row["probability"]) for row in rows], abs=1e-6)
    assert len(found.mistakes()) == (~found.correct).sum()
    new = opened.predict([str(path) for path in pictures])
    assert new.y_pred.shape == (3, 10) and "3 predictions" in repr(new)
    assert "exact match" in opened._repr_html_()


@pytest.mark.slow
def test_a_source_of_ones_own_returns_labels_of_0_and_1(cli, run):
    Path("pairs_source.py").write_text(
        'import numpy as np\n\n\ndef load():\n    with np.load("pairs.npz") as arrays:\n'
        '        return arrays["x"], arrays["y"]\n\n\ndef files():\n    return [("a.png", 1), ("b.png", 0)]\n'
    )
    text = Path("pairs.yaml").read_text().replace("source: npz, path: pairs.npz", "source: pairs_source.py:load")
    Path("own.yaml").write_text(text)
    answer = cli("run", "own.yaml", "--set", "training.epochs=1")
    assert answer.code == 0, answer.err
    assert metrics_of(Path(answer.last_line))["test"].keys() == metrics_of(run)["test"].keys()
    Path("own.yaml").write_text(text.replace(":load", ":files"))
    refused = cli("run", "own.yaml")
    assert refused.code == 2 and "returned files; several labels an image are read from arrays" in refused.err


@pytest.mark.slow
def test_a_network_that_needs_its_code_gives_each_label_its_own_probability(cli, run):
    Path("scaled.py").write_text(FILES["scaled.py"])
    answer = cli("run", "pairs.yaml", "--set", "model=scaled.py:build", "--set", "training.epochs=1")
    assert answer.code == 0, answer.err
    checkpoint = load_checkpoint(Path(answer.last_line))
    assert checkpoint.model.layers[-1].activation is keras.activations.sigmoid
