"""Training with metric losses: the loss, the reported metrics, and the saved model. `test_resume` covers resuming."""

import json
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import yaml

from kerasexp.config import Experiment
from kerasexp.config.loss_section import CrossEntropy
from kerasexp.errors import UserError
from kerasexp.losses import build_loss
from kerasexp.losses.triplet_loss import TripletLoss
from kerasexp.models import build_classifier
from kerasexp.training import hooks
from kerasexp.training import training_devices as devices
from kerasexp.training.added_losses import training_model
from kerasexp.training.sharpness_aware_step import sharpness_aware_step
from kerasexp.training.training_state import states

BOTH = "training.loss={name: cross_entropy, triplet: {weight: 0.5}, center: {weight: 0.2}}"
# Ten training images of each of three classes, in batches of 3 x 4.
BY_CLASS = ["training.class_batches={classes: 3, images: 4}", "training.batch_size=12"]


@pytest.fixture
def learner():
    """The tiny experiment's learner with both metric losses, compiled; and three batches of 3 x 4 for it."""
    experiment = Experiment.model_validate({"name": "tiny", **yaml.safe_load("model: {name: cnn, head: {units: [6]}}")})
    keras.utils.set_random_seed(0)
    loss = CrossEntropy(triplet={"weight": 0.5}, center={"weight": 0.2})
    model = training_model(build_classifier(experiment, ["a", "b", "c"], [10, 10, 10]), loss, 3)
    model.compile("sgd", build_loss(loss, [10, 10, 10]), metrics=[keras.metrics.SparseCategoricalAccuracy("accuracy")])
    images = np.random.default_rng(0).integers(0, 256, (12, 28, 28, 1)).astype(np.uint8)
    return model, images, np.repeat([0, 1, 2], 4)


def test_the_total_is_the_loss_of_the_logits_plus_the_weighted_metric_losses(learner):
    model, images, labels = learner
    logits, embedding = model(images, training=False)
    assert embedding.shape == (12, 6)
    base = keras.ops.mean(keras.losses.sparse_categorical_crossentropy(labels, logits, from_logits=True))
    triplet, center = float(TripletLoss()(labels, embedding)), float(np.square(embedding).sum(axis=1).mean() / 2)
    total = model.compute_loss(images, labels, (logits, embedding), training=True)
    assert float(total) == pytest.approx(float(base) + 0.5 * triplet + 0.2 * center, rel=1e-6)
    assert float(model.parts["triplet"].result()) == pytest.approx(triplet) and triplet > 0.1
    assert float(model.parts["center"].result()) == pytest.approx(center)


def test_validation_uses_the_loss_of_the_logits_and_moves_no_center(learner):
    model, images, labels = learner
    found = model.evaluate(images, labels, verbose=0, return_dict=True)
    assert set(found) == {"loss", "accuracy"}
    logits, _ = model(images, training=False)
    base = keras.ops.mean(keras.losses.sparse_categorical_crossentropy(labels, logits, from_logits=True))
    assert found["loss"] == pytest.approx(float(base), rel=1e-5)
    assert not np.any(model.metric_losses["center"].centers.numpy())


def test_the_parts_are_those_of_the_first_pass_of_a_sharpness_aware_step(learner):
    model, images, labels = learner
    hooks.replace_train_step(model, sharpness_aware_step(5.0))
    found = {name: values[0] for name, values in model.fit(images, labels, batch_size=12, verbose=0).history.items()}
    parts = found["cross_entropy"] + 0.5 * found["triplet"] + 0.2 * found["center"]
    assert found["loss"] == pytest.approx(parts, rel=1e-5)


def test_the_embedding_is_trained_and_centers_have_no_gradient(learner):
    model, images, labels = learner
    before = model.get_layer("head_dense_1").get_weights()[0].copy()
    classes = model.get_layer("logits")
    classes.set_weights([np.zeros_like(weight) for weight in classes.get_weights()])
    # With a logits layer of zeros, cross-entropy has no gradient for the layers before it.
    model.fit(images, labels, batch_size=12, verbose=0)
    assert np.any(model.get_layer("head_dense_1").get_weights()[0] != before)
    assert np.any(model.metric_losses["center"].centers.numpy())
    assert all("center" not in variable.path for variable in model.trainable_variables)


def test_the_state_of_a_training_holds_the_centers(learner):
    model, *_ = learner
    assert any(variable is model.metric_losses["center"].centers for variable in model.variables)
    assert {layer.name for layer in model.layers}.isdisjoint({"center", "triplet"})


def test_without_metric_losses_the_model_has_logits_only(learner):
    model, *_ = learner
    plain = training_model(keras.Model(model.input, model.get_layer("logits").output), CrossEntropy(), 3)
    assert type(plain).__name__ == "Functional" and len(plain.outputs) == 1


@pytest.mark.plots
@pytest.mark.slow
def test_a_run_reports_the_parts_and_saves_a_plain_classifier(cli, tiny_yaml, table):
    changes = [word for change in (BOTH, *BY_CLASS, "training.validate_at=[0, 2]") for word in ("--set", change)]
    answer = cli("run", tiny_yaml, *changes)
    assert answer.code == 0 and "retrieval by features: recall@1 within test" in answer.out, answer.err
    run = Path(answer.last_line)
    rows = [{key: float(value) for key, value in row.items()} for row in table(run / "history.csv")]
    for row in rows:
        assert row["loss"] == pytest.approx(row["cross_entropy"] + 0.5 * row["triplet"] + 0.2 * row["center"], rel=1e-5)
        assert row["center"] > 0 and {"accuracy", "val_accuracy", "val_loss"} < set(row)
        assert not any(key.startswith("val_") and key.endswith(("triplet", "center", "entropy")) for key in row)
    metrics = json.loads((run / "metrics.json").read_text())
    kept = rows[metrics["kept_epoch"] - 1]
    assert metrics["val"]["loss"] == pytest.approx(kept["val_loss"], abs=1e-5)
    assert metrics["val"]["accuracy"] == pytest.approx(kept["val_accuracy"], abs=1e-6)
    assert set(metrics["retrieval"]) == {"recall_at_1", "recall_at_5", "images", "knn_accuracy", "neighbours"}
    page = (run / "report.html").read_text()
    assert "<h3>Retrieval</h3>" in page and "The loss shown is cross_entropy alone" in page
    assert {row["layer"] for row in table(run / "gradients.csv")} >= {"block_1_conv_1", "logits"}
    with np.load(states(run / "state")[0]) as state:
        assert [state[name].shape for name in state.files].count((3, 16)) == 1, "the centers"
    alone = (
        "import keras, sys; m = keras.models.load_model(sys.argv[1]); print(m.output_shape, 'kerasexp' in sys.modules)"
    )
    script = [sys.executable, "-c", alone, str(run / "checkpoint" / "model.keras")]
    assert "(None, 3) False" in subprocess.run(script, capture_output=True, text=True, check=True).stdout


def test_a_run_without_metric_losses_has_no_retrieval(finished_runs, table):
    run = finished_runs / "runs" / "tiny" / "1"
    assert "retrieval" not in json.loads((run / "metrics.json").read_text())
    assert "<h3>Retrieval</h3>" not in (run / "report.html").read_text()
    assert not {"triplet", "center", "cross_entropy"} & set(table(run / "history.csv")[0])


@pytest.mark.slow
def test_a_baseline_with_class_batches_also_has_retrieval(cli, tiny_yaml):
    changes = [word for change in (*BY_CLASS, "training.epochs=1") for word in ("--set", change)]
    answer = cli("run", tiny_yaml, *changes)
    assert answer.code == 0 and "retrieval by features: recall@1 within test" in answer.out, answer.err
    assert "<h3>Retrieval</h3>" in (Path(answer.last_line) / "report.html").read_text()


def test_several_devices_are_refused(monkeypatch):
    monkeypatch.setattr(
        devices.tf.config, "list_logical_devices", lambda kind: [_Device(f"{kind}:{i}") for i in (0, 1)]
    )
    training = {"loss": {"name": "cross_entropy", "triplet": {}}, "batch_size": 10}
    experiment = Experiment.model_validate({"name": "x", "runtime": "all", "training": training})
    with pytest.raises(UserError, match="training.loss.triplet compares the images of a whole batch, and each of 2"):
        devices.strategy_of(experiment, [10, 10])


class _Device:
    def __init__(self, name: str):
        self.name = name


def test_more_classes_in_a_batch_than_in_the_data_are_refused(cli, tiny_yaml):
    asked = ["--set", "training.class_batches={classes: 4, images: 2}", "--set", "training.batch_size=8"]
    for command in ("run", "check"):
        answer = cli(command, tiny_yaml, *asked)
        assert answer.code == 2
        assert "training.class_batches.classes: 4 is more than the 3 classes that have training images" in answer.err
