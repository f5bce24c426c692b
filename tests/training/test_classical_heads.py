"""Classical heads: the saved Keras layers predict what scikit-learn predicts."""

import json
from pathlib import Path

import keras
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC

from kerasexp.config import load_experiment
from kerasexp.console import Console, QuietConsole
from kerasexp.data.prepared_data import prepare
from kerasexp.models import build_classifier
from kerasexp.runs.directory import RunDirectory
from kerasexp.saving.checkpoint import load_checkpoint
from kerasexp.training import classical_head_training as classical_heads
from kerasexp.training.classical_head_training import fit_classical
from kerasexp.training.training_features import extract_features

# Each of these decodes images and builds several models.
pytestmark = pytest.mark.slow

HEADS = {
    "svm: {C: 0.1}": LinearSVC(C=0.1, max_iter=2000, random_state=0),
    "svm: {C: 0.1, multi_class: crammer_singer}": LinearSVC(
        C=0.1, multi_class="crammer_singer", max_iter=2000, random_state=0
    ),
    "svm: {C: 1, kernel: rbf, gamma: 0.01}": OneVsRestClassifier(SVC(C=1, gamma=0.01)),
    "logistic_regression: {C: 0.1}": LogisticRegression(C=0.1, max_iter=2000),
    "knn: {k: 3}": KNeighborsClassifier(3, algorithm="brute"),
}
CLASSES = {"three": [], "two": ["data.labels.select=[across, disc]"], "one is rare": ["data.labels.keep={disc: 0}"]}


@pytest.fixture
def plain_yaml(tiny_yaml) -> Path:
    """The tiny experiment without the keys that a classical head refuses."""
    text = tiny_yaml.read_text()
    kept = [line for line in text.splitlines() if not line.startswith(("training:", "  augmentation:", "  head:"))]
    tiny_yaml.write_text("\n".join(kept))
    return tiny_yaml


@pytest.mark.parametrize("classes", CLASSES)
@pytest.mark.parametrize("head", HEADS)
def test_the_saved_layers_predict_what_scikit_learn_predicts(plain_yaml, head, classes):
    experiment = load_experiment(plain_yaml, [f"model.head={{{head}}}", *CLASSES[classes]])
    data, run = prepare(experiment.data), RunDirectory.create("fitted", None)
    keras.utils.set_random_seed(0)
    model = build_classifier(experiment, data.class_names, data.train_counts)
    fitted = fit_classical(model, data, experiment, run, QuietConsole())
    assert not fitted.cross_validation and fitted.kept == 1

    extractor = keras.Model(model.input, model.get_layer("logits").input)
    train, test = data.splits["train"], data.splits["test"]
    known, asked = (extractor.predict(split.images, verbose=0) for split in (train, test))
    theirs = make_pipeline(StandardScaler(), HEADS[head]).fit(known, train.labels)
    ours = keras.models.load_model(run.model)
    scores = ours.predict(test.images, verbose=0)
    np.testing.assert_allclose(scores.sum(axis=1), 1, atol=1e-5)
    np.testing.assert_array_equal(scores.argmax(axis=1), theirs.predict(asked))
    if hasattr(theirs, "decision_function"):
        logits = keras.Model(ours.input, ours.get_layer("logits").output).predict(test.images, verbose=0)
        decisions = theirs.decision_function(asked)
        present = theirs.classes_
        mine = logits[:, present]
        if len(present) == 2:
            mine = mine[:, 1] - mine[:, 0]
            decisions = decisions * (1 if "logistic" in head else 2)
        np.testing.assert_allclose(mine, decisions, atol=2e-4)
    assert (
        scores[:, [k for k in range(len(data.class_names)) if k not in theirs.classes_]] == 0
    ).all() or "knn" in head


def test_cross_validation_uses_train_only(plain_yaml, monkeypatch):
    experiment = load_experiment(plain_yaml, ["model.head={svm: {C: [100, 0.000001, 0.1]}}"])
    data, run = prepare(experiment.data), RunDirectory.create("fitted", None)
    # The labels of val have no influence.
    data.splits["val"].labels[:] = 0
    keras.utils.set_random_seed(0)
    model = build_classifier(experiment, data.class_names, data.train_counts)
    rows = fit_classical(model, data, experiment, run, QuietConsole()).cross_validation
    assert [row["C"] for row in rows] == [0.000001, 0.1, 100]
    assert all(0 <= row["accuracy"] <= 1 and row["deviation"] >= 0 for row in rows)
    best = max(rows, key=lambda row: row["accuracy"])["C"]

    fixed = load_experiment(plain_yaml, [f"model.head={{svm: {{C: {best}}}}}"])
    fit_classical(model, data, fixed, (other := RunDirectory.create("fitted", None)), QuietConsole())
    one, another = (keras.models.load_model(r.model).get_layer("logits").get_weights() for r in (run, other))
    for a, b in zip(one, another, strict=True):
        np.testing.assert_array_equal(a, b)


def test_features_are_extracted_once(plain_yaml, monkeypatch):
    experiment = load_experiment(plain_yaml)
    data = prepare(experiment.data)
    images = data.splits["train"].images

    def extractor(seed: int) -> keras.Model:
        keras.utils.set_random_seed(seed)
        model = build_classifier(experiment, data.class_names, data.train_counts)
        return keras.Model(model.input, model.get_layer("logits").input, name="features")

    first = extractor(0)
    found = extract_features(first, images, QuietConsole())
    assert found.dtype == np.float32 and found.shape == (len(images), first.output.shape[-1])
    same, another = extractor(0), extractor(1)
    monkeypatch.setattr(same, "predict_on_batch", None)
    np.testing.assert_array_equal(extract_features(same, images, QuietConsole()), found)
    assert not np.array_equal(extract_features(another, images, QuietConsole()), found)
    assert not np.array_equal(extract_features(first, images[::-1], QuietConsole()), found)


def test_damaged_features_are_extracted_again(plain_yaml, tmp_path):
    experiment = load_experiment(plain_yaml)
    data = prepare(experiment.data)
    model = build_classifier(experiment, data.class_names, data.train_counts)
    extractor = keras.Model(model.input, model.get_layer("logits").input, name="features")
    images = data.splits["val"].images
    found = extract_features(extractor, images, QuietConsole())
    (file,) = (tmp_path / "cache" / "features").glob("*.npy")
    file.write_bytes(file.read_bytes()[:-7])
    np.testing.assert_array_equal(extract_features(extractor, images, QuietConsole()), found)
    assert len(list(file.parent.iterdir())) == 1


def test_a_whole_run_predicts_evaluates_and_exports(cli, plain_yaml):
    answer = cli("run", plain_yaml, "--set", "model.head={svm: {C: [0.01, 1]}}", "--set", "report.samples=2")
    assert answer.code == 0, answer.err
    assert "head.svm: C " in answer.out and "by cross-validation on train" in answer.out
    run = Path(answer.last_line)
    metrics = json.loads((run / "metrics.json").read_text())
    assert metrics["epochs"] == 0 and len(metrics["cross_validation"]) == 2
    assert metrics["test"]["accuracy"] > 0.5
    again = cli("evaluate", run, "--data", "image_folder", "--data-path", "images", "--format", "json")
    assert again.code == 0, again.err
    predicted = cli("predict", run, "images/disc", "--format", "json")
    assert predicted.code == 0 and len(json.loads(predicted.out)) == 20
    exported = cli("export", run, "--format", "tf_saved_model", "--output", "exported")
    assert exported.code == 0, exported.err


@pytest.mark.plots
@pytest.mark.parametrize("head", ["svm: {C: [0.01, 1]}", "knn: {k: [1, 3]}", "svm: {kernel: rbf, C: 1}"])
def test_the_page_shows_what_cross_validation_found(cli, plain_yaml, head):
    answer = cli("run", plain_yaml, "--set", f"model.head={{{head}}}")
    assert answer.code == 0, answer.err
    run = Path(answer.last_line)
    assert (run / "plots" / "cross_validation.png").exists() == ("[" in head)
    assert not (run / "plots" / "curves.png").exists() and (run / "plots" / "confusion.png").exists()
    assert load_checkpoint(run / "checkpoint").class_names == ["across", "disc", "upright"]


def test_linear_heads_load_with_keras_alone(cli, plain_yaml):
    run = Path(cli("run", plain_yaml, "--set", "model.head={svm: {C: 1}}").last_line)
    kinds = {
        type(layer).__module__.split(".")[0] for layer in keras.models.load_model(run / "checkpoint/model.keras").layers
    }
    assert kinds == {"keras"}


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        (["model.head={knn: {k: 1000}}"], "model.head.knn.k"),
        (["model.head={svm: {}}", "data.labels.keep={disc: 2}"], "model.head.svm.C"),
    ],
)
def test_impossible_values_are_refused_before_anything_is_written(cli, plain_yaml, changes, key):
    answer = cli("run", plain_yaml, *(part for change in changes for part in ("--set", change)))
    assert answer.code == 2 and key in answer.err
    assert not Path("runs").exists()


def test_a_machine_that_has_not_converged_is_reported(plain_yaml, monkeypatch, capsys):
    monkeypatch.setattr(classical_heads, "MAX_ITERATIONS", 1)
    experiment = load_experiment(plain_yaml, ["model.head={svm: {C: 10}}"])
    data = prepare(experiment.data)
    model = build_classifier(experiment, data.class_names, data.train_counts)
    fit_classical(model, data, experiment, RunDirectory.create("fitted", None), Console())
    assert "head.svm has not converged after 1 iterations" in capsys.readouterr().out
