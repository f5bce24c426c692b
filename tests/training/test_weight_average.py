"""Averages of the weights: what they are, whose statistics they have, and that the training goes on without them."""

import keras
import numpy as np
import pytest

from kerasexp.config import experiment_from
from kerasexp.console import QuietConsole
from kerasexp.data.prepared_data import prepare
from kerasexp.models import build_model
from kerasexp.runs.directory import RunDirectory
from kerasexp.training.fit import fit_by_gradients
from kerasexp.training.precision import make_deterministic
from kerasexp.training.training_devices import norms_of

BASE = {
    "name": "average",
    "data": {"source": "digits", "labels": {"at_most": 300}, "preprocessing": {"size": [8, 8]}},
    "model": {
        "name": "cnn",
        "blocks": [{"filters": 4, "batch_norm": True, "pool": 2}],
        "head": {"units": [8], "dropout": 0.3},
    },
    "training": {"epochs": 4, "batch_size": 50, "checkpoint": "last"},
}
NORM = "block_1_conv_1_norm"


class Watch(keras.callbacks.Callback):
    """Keep the weights of each step, and those that are validated."""

    def __init__(self):
        super().__init__()
        self.steps, self.ends, self.validated = [], [], []

    def on_train_batch_end(self, batch, logs=None):
        self.steps.append([v.numpy() for v in self.model.trainable_variables])

    def on_epoch_end(self, epoch, logs=None):
        self.ends.append(self.steps[-1])
        self.validated.append([v.numpy() for v in self.model.trainable_variables])


def train(tmp_path, monkeypatch, name, **changes):
    """Train; return what was watched, the saved model, its data and the rows of the history."""
    experiment = experiment_from({**BASE, "training": {**BASE["training"], **changes}})
    watch = Watch()
    monkeypatch.setattr("kerasexp.training.fit.custom_callbacks", lambda callbacks: [watch])
    data = prepare(experiment.data)
    keras.utils.set_random_seed(0)
    make_deterministic()
    model = build_model(experiment.model, experiment.data.preprocessing, len(data.class_names), "average")
    run = RunDirectory.create("average", tmp_path / name)
    rows = fit_by_gradients(model, data, experiment, run, QuietConsole()).history
    return watch, keras.models.load_model(run.model), data, rows


def assert_close(one, other):
    for ours, theirs in zip(one, other, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-6)


def test_swa_is_the_mean_of_the_last_epochs_and_leaves_the_training_alone(tmp_path, monkeypatch):
    plain, *_ = train(tmp_path, monkeypatch, "plain")
    watch, saved, *_ = train(tmp_path, monkeypatch, "swa", average={"name": "swa", "start": 0.5})
    for ours, theirs in zip(watch.steps, plain.steps, strict=True):
        for one, other in zip(ours, theirs, strict=True):
            np.testing.assert_array_equal(one, other)
    assert_close(watch.validated[1], watch.ends[1])  # before it begins
    mean = [np.mean(weights, axis=0) for weights in zip(*watch.ends[2:], strict=True)]
    assert_close(watch.validated[3], mean)
    assert_close([v.numpy() for v in saved.trainable_variables], mean)
    assert not np.allclose(mean[0], watch.ends[3][0], rtol=1e-3)


def test_ema_follows_each_step(tmp_path, monkeypatch):
    watch, saved, *_ = train(tmp_path, monkeypatch, "ema", average={"name": "ema", "momentum": 0.9})
    average = watch.steps[0]
    for weights in watch.steps[1:]:
        average = [0.9 * old + 0.1 * new for old, new in zip(average, weights, strict=True)]
    assert_close([v.numpy() for v in saved.trainable_variables], average)


def test_before_the_first_step_the_average_is_the_weights(tmp_path, monkeypatch):
    for name, changes in {"all": {"average": "ema"}, "own": {"optimizer": {"name": "adam", "ema": 0.9}}}.items():
        watch, *_ = train(tmp_path, monkeypatch, name, accumulate=8, epochs=2, **changes)
        assert_close(watch.validated[0], watch.steps[0])
        assert np.abs(watch.validated[0][0]).max() > 0


def test_the_moving_average_of_an_optimizer_has_the_statistics_of_the_weights(tmp_path, monkeypatch):
    plain, kept, *_ = train(tmp_path, monkeypatch, "plain")
    watch, saved, *_ = train(tmp_path, monkeypatch, "ema", optimizer={"name": "adam", "ema": 0.9})
    for ours, theirs in zip(watch.steps, plain.steps, strict=True):
        for one, other in zip(ours, theirs, strict=True):
            np.testing.assert_array_equal(one, other)
    average = watch.steps[0]
    for weights in watch.steps[1:]:
        average = [0.9 * old + 0.1 * new for old, new in zip(average, weights, strict=True)]
    assert_close([v.numpy() for v in saved.trainable_variables], average)
    np.testing.assert_array_equal(saved.get_layer(NORM).moving_mean, kept.get_layer(NORM).moving_mean)


def test_normalisation_within_a_model_within_a_model_is_found():
    inner = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3), keras.layers.BatchNormalization(name="inner")])
    inputs = keras.Input((4,))
    outputs = keras.layers.BatchNormalization(name="outer")(inner(inputs))
    assert sorted(norm.name for norm in norms_of(keras.Model(inputs, outputs))) == ["inner", "outer"]


@pytest.mark.parametrize("average", [{"name": "swa", "start": 0.0}, {"name": "ema", "momentum": 0.95}])
def test_the_statistics_are_those_of_the_average_on_train(tmp_path, monkeypatch, average):
    _, saved, data, _ = train(tmp_path, monkeypatch, "one", average=average, batch_size=1000)
    norm = saved.get_layer(NORM)
    maps = np.asarray(keras.Model(saved.input, norm.input)(data.splits["train"].images))
    np.testing.assert_allclose(norm.moving_mean, maps.mean((0, 1, 2)), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(norm.moving_variance, maps.var((0, 1, 2)), rtol=1e-3)
    assert norm.momentum == 0.9


def test_validation_is_that_of_the_saved_average(tmp_path, monkeypatch):
    _, saved, data, rows = train(tmp_path, monkeypatch, "one", average="swa", epochs=8)
    val = data.splits["val"]
    assert rows[-1]["val_accuracy"] == pytest.approx(
        (saved.predict(val.images, verbose=0).argmax(1) == val.labels).mean()
    )


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("training.average={name: emma}", "training.average"),
        ("training.average={name: swa, start: 1}", "training.average"),
        ("training={average: ema, optimizer: {ema: 0.9}}", "training.optimizer.ema: averages the weights, and so does"),
    ],
)  # fmt: skip
def test_what_does_not_go_together_is_refused(cli, tiny_yaml, change, told):
    answer = cli("check", tiny_yaml, "--set", change)
    assert answer.code == 2 and told in answer.err and "Traceback" not in answer.err, answer.err


@pytest.mark.slow
@pytest.mark.parametrize("average", ["average={name: ema, momentum: 0.9}", "average=swa", "optimizer.ema=0.9"])
def test_more_epochs_continue_from_the_weights_and_not_from_their_average(cli, tiny_yaml, average):
    ema = ["--set", f"training.{average}", "--set", "training.checkpoint=last"]
    cli("run", tiny_yaml, *ema, "--run-dir", "grown", "--set", "training.epochs=2")
    more = cli("run", tiny_yaml, *ema, "--run-dir", "grown", "--set", "training.epochs=4", "--resume")
    assert more.code == 0, more.err
    cli("run", tiny_yaml, *ema, "--run-dir", "whole", "--set", "training.epochs=4")
    grown, whole = (keras.models.load_model(f"{name}/checkpoint/model.keras") for name in ("grown", "whole"))
    for one, other in zip(grown.get_weights(), whole.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
