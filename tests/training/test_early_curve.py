"""The early curve: its rows are those of the weights at that step, and the training is unchanged."""

import keras
import numpy as np
import pytest

from kerasexp.config import load_experiment
from kerasexp.data.prepared_data import Split
from kerasexp.data.stratified_sampling import stratified_sample
from kerasexp.errors import UserError
from kerasexp.training import early_validation as early_curve
from kerasexp.training.early_validation import EarlyCurve
from kerasexp.training.training_clock import Clock

# Nearly all of these train a model.
pytestmark = pytest.mark.slow

RANDOM = np.random.default_rng(0)
VAL = Split(RANDOM.integers(0, 256, (50, 4, 4, 1)).astype(np.uint8), RANDOM.integers(0, 3, 50), [""] * 50)


class ByHand(keras.callbacks.Callback):
    """Accuracy and loss of some images after every step, by `predict`."""

    def __init__(self, split):
        super().__init__()
        self.split, self.metrics = split, {}

    def on_train_begin(self, logs=None):
        self._evaluate(0)

    def on_train_batch_end(self, batch, logs=None):
        self._evaluate(int(self.model.optimizer.iterations))

    def _evaluate(self, step):
        scores = self.model.predict(self.split.images, verbose=0)
        right = scores[np.arange(len(scores)), self.split.labels]
        accuracy = np.mean(scores.argmax(axis=1) == self.split.labels)
        self.metrics[step] = accuracy, -np.log(right).mean()


def curve(at, callbacks=(), optimizer=None, epochs=2):
    """Train for epochs of 5 steps; return the curve's rows."""
    keras.utils.set_random_seed(0)
    written = []
    model = keras.Sequential(
        [
            keras.Input((4, 4, 1), dtype="uint8"),
            keras.layers.Rescaling(1 / 255),
            keras.layers.Flatten(),
            keras.layers.BatchNormalization(momentum=0.5),
            keras.layers.Dropout(0.5),
            keras.layers.Dense(3, "softmax", dtype="float32"),
        ]
    )
    model.compile(optimizer or keras.optimizers.Adam(0.05), "sparse_categorical_crossentropy")
    drawn = EarlyCurve(model, VAL, 20, at, False, Clock(), lambda rows: written.append(len(rows)))
    model.fit(VAL.images, VAL.labels, batch_size=10, epochs=epochs, callbacks=[*callbacks, drawn], verbose=0)
    assert written == list(range(1, len(drawn.rows) + 1))
    return drawn.rows


@pytest.mark.parametrize("ema", [False, True])
def test_a_row_is_computed_from_the_weights_at_that_step(ema):
    by_hand = ByHand(VAL)
    swap = [keras.callbacks.SwapEMAWeights(swap_on_epoch=True)] if ema else []
    rows = curve([0, 1, 3, 7], [*swap, by_hand], keras.optimizers.Adam(0.05, use_ema=ema, ema_momentum=0.9))
    assert [row["step"] for row in rows] == [0, 1, 3, 5, 7, 10]
    for row in rows:
        accuracy, loss = by_hand.metrics[row["step"]]
        assert row["val_accuracy"] == accuracy
        assert row["val_loss"] == pytest.approx(loss, rel=1e-5)
    assert len({row["val_loss"] for row in rows}) == len(rows)
    assert [row["seconds"] for row in rows] == sorted(row["seconds"] for row in rows)


def test_only_a_sample_is_evaluated(monkeypatch):
    monkeypatch.setattr(early_curve, "IMAGES", 30)
    by_hand = ByHand(VAL.take(stratified_sample(VAL.labels, 30, early_curve.SEED)))
    rows = curve([2], [by_hand])
    assert [(row["step"], row["val_accuracy"]) for row in rows] == [(s, by_hand.metrics[s][0]) for s in (2, 5, 10)]


def test_steps_may_be_ends_of_epochs_or_beyond_the_training():
    assert [row["step"] for row in curve([5, 6, 999])] == [5, 6, 10]


def test_a_skipped_update_gives_no_second_row():
    """With an infinite loss scale every update is skipped."""
    skipping = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(), initial_scale=float("inf"))
    assert [row["step"] for row in curve([0, 1, 2], optimizer=skipping)] == [0]


def test_the_curve_agrees_with_the_history_and_changes_nothing(train, table):
    plain, curved = train(), train("training.validate_at=[0, 2, 5, 7]")
    assert not plain.run.curve.exists()
    rows = table(curved.run.curve)
    assert list(rows[0]) == ["step", "seconds", "val_accuracy", "val_loss"]
    assert [int(row["step"]) for row in rows] == [0, 2, 5, 7, 10, 15]
    for one, other in zip(plain.model.get_weights(), curved.model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    # Nor Keras's running metrics, which the history shows. Here val is small enough to be its own sample.
    history, same = table(curved.run.history), table(plain.run.history)
    assert [{**row, "seconds": ""} for row in history] == [{**row, "seconds": ""} for row in same]
    ends = {row["step"]: row for row in rows}
    for epoch in history:
        end = ends[epoch["step"]]
        assert float(end["val_accuracy"]) == pytest.approx(float(epoch["val_accuracy"]), abs=1e-6)
        assert float(end["val_loss"]) == pytest.approx(float(epoch["val_loss"]), rel=1e-4)
        assert float(end["seconds"]) <= float(epoch["seconds"])


@pytest.mark.parametrize("wrong", ["[-1]", "[5, 5]", "[10, 2]", "[1.5]", "5", "[true]", "null"])
def test_impossible_steps_are_refused(tiny_yaml, wrong):
    with pytest.raises(UserError) as refused:
        load_experiment(tiny_yaml, [f"training.validate_at={wrong}"])
    assert [problem.key.split(".")[:2] for problem in refused.value.problems] == [["training", "validate_at"]]
