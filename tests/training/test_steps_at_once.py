"""Several training steps in one call of TensorFlow: how many, and that the result is the same."""

import json
import os
import signal

import keras
import numpy as np
import pytest
import tensorflow as tf

from kerasexp.config import experiment_from
from kerasexp.errors import Interrupted
from kerasexp.runs.directory import RunDirectory
from kerasexp.training.callbacks import StopAtNonFiniteLoss
from kerasexp.training.epoch_progress import EpochProgress
from kerasexp.training.steps_at_once import MOST, steps_at_once
from kerasexp.training.training_state import TrainingState, states


def perceptron(width: int) -> keras.Model:
    inputs = keras.Input((28, 28, 1))
    hidden = keras.layers.Dense(width, "relu")(keras.layers.Flatten()(inputs))
    return keras.Model(inputs, keras.layers.Dense(10)(hidden))


def number(width=128, steps=400, begin=0, **training):
    asked = experiment_from({"name": "steps", "training": {"batch_size": 128, **training}}).training
    return steps_at_once(perceptron(width), asked, steps, begin)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, 10),  # 3 x 203,802 operations x 128 images are a thirteenth of 10^9
        ({"width": 32}, 20),
        ({"width": 2048}, 1),
        ({"batch_size": 1000}, 1),
        ({"steps": 396}, 12),
        ({"steps": 401}, 1),
        ({"steps": 60}, 12),
        ({"steps": 20}, 1),  # 200 in ten epochs: too few to save what building a loop costs
        ({"steps": 20, "epochs": 15}, 10),
        ({"begin": 4}, 4),
        ({"begin": 30}, 10),
        ({"validate_at": [0, 10, 25]}, 5),
        ({"validate_at": [1]}, 1),
    ],
)
def test_steps_of_small_networks_are_put_together(given, expected):
    assert number(**given) == expected


def test_validation_at_steps_looks_at_each_where_some_do_not_count():
    keras.config.set_dtype_policy("mixed_float16")
    try:
        assert [number(validate_at=[10]), number()] == [1, 10]
    finally:
        keras.config.set_dtype_policy("float32")


def test_a_gpu_takes_more_operations_in_a_call(monkeypatch):
    monkeypatch.setattr(tf.config, "list_logical_devices", lambda kind=None: ["GPU:0"] if kind == "GPU" else [])
    assert number(width=2048) == MOST == 20


def test_a_callback_of_a_user_sees_every_step(tmp_path):
    (tmp_path / "mine.py").write_text("import keras\n\n\nclass Watch(keras.callbacks.Callback):\n    pass\n")
    assert number(callbacks=[{"name": "mine.py:Watch"}]) == 1


def test_a_step_with_a_teacher_is_taken_alone():
    assert number(distill="part2_pretrained") == 1


def test_a_layer_of_unknown_cost_is_trained_step_by_step():
    class Mine(keras.layers.Layer):
        def call(self, inputs):
            return inputs

    inputs = keras.Input((4,))
    model = keras.Model(inputs, Mine()(inputs))
    asked = experiment_from({"name": "steps"}).training
    assert steps_at_once(model, asked, 400, 0) == 1


def trained(train, monkeypatch, most, *changes, run=None):
    monkeypatch.setattr("kerasexp.training.steps_at_once.MOST", most)
    monkeypatch.setattr("kerasexp.training.steps_at_once.LEAST_STEPS", 20)
    return train("training.batch_size=4", "training.epochs=2", *changes, run=run)


@pytest.fixture
def steps(monkeypatch):
    """A list of the steps, from 1, after which callbacks are called."""
    found = []
    original = EpochProgress.on_train_batch_end

    def seen(self, batch, logs=None):
        found.append(batch + 1)
        original(self, batch, logs)

    monkeypatch.setattr(EpochProgress, "on_train_batch_end", seen)
    return found


@pytest.mark.parametrize(
    "changes",
    [
        (),
        ("training.accumulate=2", "training.optimizer={name: adamw, ema: 0.9}"),
        ("training.average={name: ema, momentum: 0.9}", "data.augmentation.mixup=0.2", "training.schedule=one_cycle"),
        ("training.precision=mixed_float16",),
        (
            "training.sharpness_aware={rho: 0.1}",
            "training.loss.triplet={}",
            "training.class_batches={classes: 2, images: 2}",
        ),
    ],
)
def test_the_weights_are_the_same_bit_for_bit(train, monkeypatch, table, steps, changes):
    """An epoch has ten steps."""
    alone = trained(train, monkeypatch, 1, *changes)
    assert steps == [*range(1, 11)] * 2
    steps.clear()
    together = trained(train, monkeypatch, 5, *changes)
    assert steps == [5, 10] * 2
    for one, other in zip(alone.model.get_weights(), together.model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    for name in ("history", "gradients"):
        rows = [[{**row, "seconds": ""} for row in table(getattr(done.run, name))] for done in (alone, together)]
        assert rows[0] == rows[1]


@pytest.mark.parametrize(("then", "seen"), [(5, [5, 10, 5, 10]), (2, [*range(1, 11)] * 2)])
def test_a_training_continues_with_as_many_steps_or_others(train, monkeypatch, steps, then, seen):
    """It is stopped at step 5 of ten, and continues there: steps before it are skipped in calls that end at step 5 too."""
    whole = trained(train, monkeypatch, 5)
    run = RunDirectory.create("broken", None)
    on_batch_end = TrainingState.on_train_batch_end

    def stopping(state, batch, logs=None):
        os.kill(os.getpid(), signal.SIGTERM)
        on_batch_end(state, batch, logs)

    with monkeypatch.context() as patches:
        patches.setattr(TrainingState, "on_train_batch_end", stopping)
        steps.clear()
        with pytest.raises(Interrupted):
            trained(train, monkeypatch, 5, run=run)
    assert steps == [5]
    with np.load(states(run.state)[0]) as saved:
        assert json.loads(saved["about"].tobytes())["step"] == 5
    steps.clear()
    again = trained(train, monkeypatch, then, run=run)
    assert steps == seen
    for one, other in zip(whole.model.get_weights(), again.model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(("together", "position"), [(1, (2, 10, 10)), (5, (2, 6, 10))])
def test_a_loss_that_breaks_is_placed_in_the_steps_of_its_call(together, position):
    stop, model = StopAtNonFiniteLoss(), perceptron(4)
    model.steps_per_execution = together
    stop.set_model(model)
    stop.on_epoch_begin(1)
    stop.on_train_batch_end(4, {"loss": 1.0})
    assert stop.position is None
    stop.on_train_batch_end(9, {"loss": np.nan})
    assert stop.position == position and model.stop_training
