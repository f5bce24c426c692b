"""Gradients that are accumulated over batches: one large batch in the memory of a small one."""

import keras
import numpy as np
import pytest

from kerasexp.config import Experiment
from kerasexp.config.training_section import Training
from kerasexp.losses import build_loss
from kerasexp.models import build_classifier
from kerasexp.training import training_devices as devices
from kerasexp.training.added_losses import training_model
from kerasexp.training.gradient_flow import GradientFlow
from kerasexp.training.optimizers import build_optimizer

STEPS, LARGE, SMALL = 3, 2048, 128


def trained(accumulate: int, batch_norm: bool, **optimizer) -> keras.Model:
    """Train three steps of 2,048 images, in batches of 2,048 / accumulate."""
    blocks = [{"filters": 4, "pool": 4, "batch_norm": batch_norm}]
    model = {"name": "cnn", "blocks": blocks, "head": {"units": [8]}}
    experiment = Experiment.model_validate({"name": "x", "data": {"preprocessing": {"size": [8, 8]}}, "model": model})
    keras.utils.set_random_seed(0)
    training = Training(optimizer=optimizer, accumulate=accumulate)
    trained = training_model(build_classifier(experiment, ["a", "b", "c"], [1, 1, 1]), training.loss, 3)
    optimizer = build_optimizer(training, accumulate * STEPS, trained.trainable_variables)
    trained.compile(optimizer, build_loss(training.loss, [1, 1, 1]))
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (STEPS * LARGE, 8, 8, 1)).astype(np.uint8)
    labels = images.mean((1, 2, 3)).astype(int) % 3
    trained.fit(images, labels, batch_size=LARGE // accumulate, epochs=1, shuffle=False, verbose=0)
    assert devices.steps_done(trained.optimizer) == STEPS
    return trained


@pytest.mark.parametrize(
    "optimizer",
    [
        {"name": "sgd", "learning_rate": 0.1, "momentum": 0.9},
        {"name": "adamw", "learning_rate": 0.01, "clip_norm": 0.1},
        {"name": "muon", "learning_rate": 0.01},
        {"name": "adam", "learning_rate": 0.01, "ema": 0.5},
    ],
    ids=lambda optimizer: optimizer["name"],  # with `ema`, the weights at the end are their average
)
def test_sixteen_batches_of_128_train_as_one_of_2048(optimizer):
    one, sixteen = trained(1, False, **optimizer), trained(LARGE // SMALL, False, **optimizer)
    for large, small in zip(one.get_weights(), sixteen.get_weights(), strict=True):
        np.testing.assert_allclose(small, large, rtol=2e-3, atol=2e-5)


def test_batch_normalisation_sees_the_small_batches():
    one, sixteen = (trained(n, True, name="sgd").get_layer("block_1_conv_1_norm") for n in (1, LARGE // SMALL))
    assert not np.allclose(one.moving_mean, sixteen.moving_mean, rtol=1e-2)


def test_the_update_is_recorded_once_for_all_its_batches():
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    training = Training(optimizer={"name": "sgd", "learning_rate": 0.5}, accumulate=2)
    optimizer = build_optimizer(training, 6, model.trainable_variables)
    flow = GradientFlow(model, optimizer, 3, lambda rows: None)
    before = model.get_weights()[0].copy()
    for size in (1.0, 3.0):
        gradients = [keras.ops.full(v.shape, size) for v in model.trainable_variables]
        optimizer.apply(gradients, model.trainable_variables)
    found = flow.gradients()
    assert found.steps.tolist() == [1]
    expected = np.linalg.norm(np.full((4, 2), 0.5 * 2.0)) / np.linalg.norm(before)
    assert found.ratio[0, 0] == pytest.approx(expected, rel=1e-4)


def test_the_learning_rate_is_that_of_the_batch():
    training = Training(schedule={"name": "cosine"}, epochs=1, accumulate=4)
    weight = keras.Variable(np.ones(2, np.float32))
    optimizer = build_optimizer(training, 8, [weight])
    rates = []
    for _ in range(8):
        optimizer.apply([keras.ops.ones(2)], [weight])
        rates.append(devices.last_learning_rate(optimizer))
    expected = 0.001 * (1 + np.cos(np.pi * np.arange(8) / 8)) / 2
    assert rates == pytest.approx(expected.tolist(), rel=1e-4) and devices.steps_done(optimizer) == 2


def test_several_devices_are_refused(monkeypatch):
    from kerasexp.errors import UserError

    class Device:
        def __init__(self, name):
            self.name = name

    monkeypatch.setattr(devices.tf.config, "list_logical_devices", lambda kind: [Device("a"), Device("b")])
    for key, value in {"accumulate": 2, "average": {"name": "swa"}, "sharpness_aware": {}}.items():
        training = {key: value, "batch_size": 10}
        experiment = Experiment.model_validate({"name": "x", "runtime": "all", "training": training})
        with pytest.raises(UserError, match=f"training.{key} .* done on one device, and there are 2; use auto"):
            devices.strategy_of(experiment, [10, 10])


def test_the_history_counts_the_steps_of_the_optimizer(train):
    found = train("training.accumulate=2", "training.epochs=2").fitted
    # An epoch has five batches; the fifth waits for the first of the next epoch.
    assert [row["step"] for row in found.history] == [2, 5]
    assert found.gradients.steps.tolist() == [1, 2, 3, 4, 5]


def test_more_batches_than_a_training_has_are_refused(cli, tiny_yaml):
    answer = cli("check", tiny_yaml, "--set", "training.accumulate=1000")
    assert answer.code == 2 and "training.accumulate: got 1000, and the training has" in answer.err, answer.err
