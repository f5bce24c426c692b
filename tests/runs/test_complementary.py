"""Learning from labels that say what an image is NOT, from the YAML to the checkpoint."""

import json
from pathlib import Path

import keras
import numpy as np
import pytest

from kerasexp.evaluation.complementary_metrics import complementary_metrics
from kerasexp.evaluation.predictions import Predictions

YAML = """
data: {source: digits, labels: {complement: true}}
model: {name: mlp, units: [64]}
training:
  epochs: 40
  batch_size: 32
  optimizer: {name: adam, learning_rate: 0.003}
  checkpoint: last
"""


@pytest.fixture
def digits_yaml(tmp_path) -> Path:
    path = tmp_path / "wrong.yaml"
    path.write_text(YAML)
    return path


@pytest.mark.slow
@pytest.mark.parametrize(
    ("how", "bar"), [("training.loss=scl_nl", 0.8), ("training.loss=forward", 0.8), ("training.decode=argmin", 0.5)]
)
def test_they_are_learned_from_and_the_estimate_holds(cli, digits_yaml, how, bar):
    answer = cli("run", digits_yaml, "--set", how, "--set", "training.validate_at=[0]")
    assert answer.code == 0, answer.err
    run = Path(answer.last_line)
    metrics = json.loads((run / "metrics.json").read_text())
    assert metrics["test"]["accuracy"] > bar
    assert metrics["val"]["accuracy_low"] <= metrics["test"]["accuracy"] <= metrics["val"]["accuracy_high"]
    assert "estimated from complementary labels" in answer.out
    page = (run / "report.html").read_text()
    assert "the accuracy on val is estimated" in page and "names a random class that the image is NOT of" in page
    model = keras.models.load_model(run / "checkpoint" / "model.keras")
    assert "kerasexp" not in json.dumps(model.get_config())
    np.testing.assert_allclose(model.predict(np.zeros((2, 28, 28, 1), np.uint8), verbose=0).sum(axis=1), 1, rtol=1e-5)


@pytest.mark.slow
def test_ordinary_training_on_them_is_worse_than_guessing(cli, digits_yaml):
    run = Path(cli("run", digits_yaml).last_line)
    assert json.loads((run / "metrics.json").read_text())["test"]["accuracy"] < 0.05


def test_the_estimate_and_its_interval_by_hand():
    """Of 8 predictions one hits the excluded class: the error is 9 / 8 of 1, and an accuracy is not below 0."""
    score = np.full((8, 10), 0.05)
    score[:, 3] = 0.55
    excluded = np.array([3, 0, 1, 2, 4, 5, 6, 7])
    figures = complementary_metrics(Predictions(list("abcdefgh"), excluded, score, [str(k) for k in range(10)]))
    assert figures["accuracy"] == 0.0 and figures["accuracy_low"] == 0.0 and 0.7 < figures["accuracy_high"] < 0.9
    assert figures["loss"] == pytest.approx(-(np.log(0.45) + 7 * np.log(0.95)) / 8)


def test_the_intervals_hold_as_often_as_they_say():
    generator = np.random.default_rng(0)
    held = 0
    for _ in range(400):
        true = generator.integers(0, 10, 500)
        predicted = np.where(generator.random(500) < 0.97, true, (true + generator.integers(1, 10, 500)) % 10)
        excluded = (true + generator.integers(1, 10, 500)) % 10
        made = Predictions([""] * 500, excluded, np.eye(10)[predicted] * 0.9 + 0.01, [str(k) for k in range(10)])
        figures = complementary_metrics(made)
        held += figures["accuracy_low"] <= 0.97 <= figures["accuracy_high"]
    assert held / 400 > 0.92


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (["training.decode=argmin", "training.loss=scl_nl"], "training.decode: argmin is for a cross_entropy model"),
        (["training.loss={name: focal, tau: 2.0}"], "training.loss.tau: focal has no key 'tau'"),
        (
            ["training.loss={name: forward, transition: [[0.5, 0.4], [1, 0]]}"],
            "training.loss.transition: must be square",
        ),
        (["data.labels={complement: true, noise: 0.1}"], "leaves nothing for noise to replace"),
    ],
)
def test_what_does_not_go_together_is_told(cli, digits_yaml, changes, said):
    answer = cli("show", digits_yaml, *(part for change in changes for part in ("--set", change)))
    assert answer.code == 2 and said in answer.err, answer.err


@pytest.mark.slow
def test_a_second_stage_learns_from_guesses_that_are_never_the_excluded_class(cli, digits_yaml, tmp_path, monkeypatch):
    from kerasexp.training import fit as fit_module

    seen = []
    original = fit_module.training_batches
    monkeypatch.setattr(
        fit_module, "training_batches", lambda split, *more: seen.append(split) or original(split, *more)
    )
    second = tmp_path / "second.yaml"
    second.write_text(
        "base: wrong.yaml\ninit: {experiment: first.yaml, layers: none, pseudo_labels: true}\ntraining: {epochs: 20}\n"
    )
    (tmp_path / "first.yaml").write_text("base: wrong.yaml\ntraining: {loss: scl_nl}\n")
    answer = cli("run", second)
    assert answer.code == 0, answer.err
    excluded, guessed = seen
    assert excluded.names == guessed.names and (excluded.labels != guessed.labels).all()
    first, last = (json.loads(Path(f"runs/{name}/1/metrics.json").read_text()) for name in ("first", "second"))
    assert last["test"]["accuracy"] > first["test"]["accuracy"] - 0.02
    assert last["val"]["accuracy_low"] <= last["test"]["accuracy"] <= last["val"]["accuracy_high"]


def test_no_true_label_of_the_training_images_is_read(cli, tmp_path, monkeypatch):
    """Shuffling which image has which true label changes nothing, as long as the complementary ones stay."""
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (60, 8, 8)).astype(np.uint8)
    labels = generator.integers(0, 3, 60)
    np.savez(tmp_path / "made.npz", x_train=images, y_train=labels, x_test=images[:6], y_test=labels[:6])
    path = tmp_path / "given.yaml"
    path.write_text(
        "data: {source: npz, path: made.npz, preprocessing: {size: [8, 8]}}\nmodel: {name: mlp, units: [8]}\n"
        "training: {epochs: 2, batch_size: 10, loss: scl_nl}\n"
    )
    first = Path(cli("run", path).last_line)
    np.savez(tmp_path / "made.npz", x_train=images, y_train=labels, x_test=images[:6], y_test=(labels[:6] + 1) % 3)
    second = Path(cli("run", path).last_line)
    probabilities = [
        [line.split(",")[5:] for line in (run / "predictions.csv").read_text().splitlines()] for run in (first, second)
    ]
    assert probabilities[0] == probabilities[1]


def test_a_transition_of_another_number_of_classes_is_refused(cli, tiny_yaml):
    ways = "[[0, 1], [1, 0]]"
    answer = cli("check", tiny_yaml, "--set", f"training.loss={{name: forward, transition: {ways}}}")
    assert answer.code == 2 and "training.loss.transition: has 2 rows, and the data have 3 classes" in answer.err
