"""The recorded gradients are those of the step, and recording them changes nothing."""

import math
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from kerasexp.errors import RunError
from kerasexp.runs.directory import RunDirectory
from kerasexp.training.gradient_flow import SAMPLES, GradientFlow
from kerasexp.training.initial_weights import freeze
from kerasexp.training.precision import make_deterministic

# Nearly all of these train a model.
pytestmark = pytest.mark.slow

LAYERS = ["conv", "hidden", "logits"]
LOSS = keras.losses.SparseCategoricalCrossentropy()
IMAGES = np.random.default_rng(0).integers(0, 256, (12, 6, 6, 1)).astype(np.uint8)
LABELS = np.arange(12) % 3


@pytest.fixture(autouse=True)
def deterministic():
    """As in every run."""
    keras.utils.set_random_seed(0)
    make_deterministic()


@pytest.fixture
def mixed_float16():
    keras.config.set_dtype_policy("mixed_float16")
    yield
    keras.config.set_dtype_policy("float32")


def network(dropout=0.0):
    keras.utils.set_random_seed(1)
    features = inputs = keras.Input((6, 6, 1), dtype="uint8")
    features = keras.layers.Rescaling(1 / 255)(features)
    features = keras.layers.Conv2D(4, 3, use_bias=False, name="conv")(features)
    features = keras.layers.BatchNormalization(name="norm")(features)
    features = keras.layers.Flatten()(features)
    features = keras.layers.Dense(5, "relu", name="hidden")(features)
    features = keras.layers.Dropout(dropout)(features)
    logits = keras.layers.Dense(3, dtype="float32", name="logits")(features)
    return keras.Model(inputs, keras.layers.Activation("softmax", dtype="float32")(logits))


def observe(model, optimizer, steps=3, watch=True, wrap=lambda optimizer: optimizer, callbacks=()):
    """Train on the same batch repeatedly; return the recorded rows."""
    written = []
    flow = GradientFlow(model, optimizer, steps, written.append) if watch else None
    model.compile(wrap(optimizer), LOSS)
    callbacks = [*callbacks, *([flow] if watch else [])]
    batches = tf.data.Dataset.from_tensors((IMAGES, LABELS)).repeat()
    model.fit(batches, steps_per_epoch=steps, epochs=1, callbacks=callbacks, shuffle=False, verbose=0)
    assert not watch or written in ([flow.rows()], [])
    return flow.rows() if watch else None


def by_step(rows, key):
    """One metric of every layer by step."""
    table = {}
    for row in rows:
        table.setdefault(row["step"], {})[row["layer"]] = row[key]
    return table


def kernels(model):
    return {name: model.get_layer(name).kernel.numpy() for name in LAYERS}


class Watch(keras.callbacks.Callback):
    """The update ratio of every step, from the weights before and after it."""

    def __init__(self):
        super().__init__()
        self.ratios = {}

    def on_train_batch_begin(self, batch, logs=None):
        self._before = kernels(self.model)

    def on_train_batch_end(self, batch, logs=None):
        after = kernels(self.model)
        self.ratios[batch + 1] = {
            name: np.linalg.norm(after[name] - before) / np.linalg.norm(before) for name, before in self._before.items()
        }


def test_recorded_gradients_equal_those_of_a_gradient_tape():
    rate, theirs, by_hand = 0.1, network(), []
    for step in (1, 2, 3):
        with tf.GradientTape() as tape:
            loss = LOSS(LABELS, theirs(IMAGES, training=True))
        before = kernels(theirs)
        gradients = tape.gradient(loss, [variable.value for variable in theirs.trainable_variables])
        for variable, gradient in zip(theirs.trainable_variables, gradients, strict=True):
            layer, _, name = variable.path.rpartition("/")
            gradient = gradient.numpy()
            variable.assign(variable.numpy() - rate * gradient)
            if name == "kernel":
                ratio = rate * np.linalg.norm(gradient) / np.linalg.norm(before[layer])
                size = np.abs(gradient)
                by_hand.append((step, layer, size.mean(), size.max(), ratio))
    rows = observe(network(), keras.optimizers.SGD(rate))
    assert [(row["step"], row["layer"]) for row in rows] == [row[:2] for row in by_hand]
    np.testing.assert_allclose([list(row.values())[2:] for row in rows], [row[2:] for row in by_hand], rtol=1e-3)


@pytest.mark.parametrize(
    "optimizer",
    [
        lambda: keras.optimizers.Adam(0.01, use_ema=True, ema_momentum=0.5),
        lambda: keras.optimizers.AdamW(0.01, weight_decay=5.0),
        lambda: keras.optimizers.RMSprop(0.01, momentum=0.9, global_clipnorm=0.01),
        lambda: keras.optimizers.SGD(keras.optimizers.schedules.ExponentialDecay(0.5, 1, 0.1)),
    ],
    ids=["adam-ema", "adamw-decay", "rmsprop-clip", "sgd-schedule"],
)
def test_the_update_is_everything_that_the_step_changed(optimizer):
    watch = Watch()
    recorded = by_step(observe(network(), optimizer(), 4, callbacks=[watch]), "update_ratio")
    assert recorded.keys() == watch.ratios.keys()
    for step, ratios in watch.ratios.items():
        assert recorded[step] == pytest.approx(ratios, rel=1e-4)


class Unused(keras.layers.Layer):
    """Creates a weight that its call does not use."""

    def build(self, shape):
        self.kernel = self.add_weight(shape=(3, 3), name="kernel")

    def call(self, x):
        return x


def test_a_weight_without_a_gradient_has_one_of_zeros():
    inputs = keras.Input((6, 6, 1), dtype="uint8")
    features = Unused(name="unused")(keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(inputs)))
    model = keras.Model(inputs, keras.layers.Dense(3, "softmax", name="logits")(features))
    rows = [row for row in observe(model, keras.optimizers.SGD(0.1), 1) if row["layer"] == "unused"]
    assert rows and all(row["max_gradient"] == row["update_ratio"] == 0 for row in rows)


def test_gradients_are_recorded_before_clipping():
    plain, clipped = (observe(network(), keras.optimizers.SGD(0.1, global_clipnorm=c), 1) for c in (None, 1e-3))
    assert by_step(plain, "max_gradient") == by_step(clipped, "max_gradient")
    assert all(one["update_ratio"] > 10 * other["update_ratio"] for one, other in zip(plain, clipped, strict=True))


def test_recorded_gradients_are_independent_of_loss_scaling(mixed_float16):
    model = network()
    half = observe(model, keras.optimizers.SGD(0.1), 1)
    assert type(model.optimizer).__name__ == "LossScaleOptimizer"
    keras.config.set_dtype_policy("float32")
    full = observe(network(), keras.optimizers.SGD(0.1), 1)
    for one, other in zip(half, full, strict=True):
        assert one["mean_gradient"] == pytest.approx(other["mean_gradient"], rel=0.1)
        assert one["update_ratio"] == pytest.approx(other["update_ratio"], rel=0.1)


def test_a_skipped_update_is_not_recorded(mixed_float16):
    """A loss times 2**40 is infinite in float16 until the scale has been halved often enough."""
    optimizer = keras.optimizers.SGD(0.1)
    rows = observe(
        network(), optimizer, 40, wrap=lambda o: keras.optimizers.LossScaleOptimizer(o, initial_scale=2.0**40)
    )
    assert 0 < int(optimizer.iterations) < 40
    assert list(by_step(rows, "step")) == list(range(1, int(optimizer.iterations) + 1))
    assert all(math.isfinite(row["max_gradient"]) and row["update_ratio"] > 0 for row in rows)


def test_frozen_layers_are_absent():
    model = network()
    freeze(model, ["conv", "norm"])
    assert list(by_step(observe(model, keras.optimizers.Adam(), 1), "step")[1]) == ["hidden", "logits"]
    model = network()
    freeze(model, LAYERS)  # the normalisation's scale is still trained, but is not a kernel
    before = model.get_layer("norm").gamma.numpy()
    assert observe(model, keras.optimizers.Adam(), 1) == []
    assert (model.get_layer("norm").gamma.numpy() != before).all()


@pytest.mark.parametrize(("total", "every"), [(7, 1), (SAMPLES, 1), (SAMPLES + 1, 2), (250, 3)])
def test_samples_are_spread_over_the_training(total, every):
    steps = list(by_step(observe(network(), keras.optimizers.SGD(0.01), total), "step"))
    assert steps == list(range(1, total + 1, every)) and len(steps) <= SAMPLES
    assert total - steps[-1] < every


@pytest.mark.parametrize("keys", [{}, {"use_ema": True, "global_clipnorm": 1.0, "weight_decay": 0.1}])
def test_recording_changes_no_weight_and_no_file(keys, tmp_path):
    states = []
    for watch in (True, False):
        model = network(dropout=0.5)
        observe(model, keras.optimizers.Adam(0.01, **keys), 30, watch)
        model.save(tmp_path / "model.keras")
        saved = keras.models.load_model(tmp_path / "model.keras")
        states.append([v.numpy() for m in (model, saved) for v in (*m.variables, *m.optimizer.variables)])
    assert len(states[0]) == len(states[1])
    for one, other in zip(*states, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_run_writes_its_gradients(train, table):
    done = train()
    rows = table(done.run.gradients)
    assert list(rows[0]) == ["step", "layer", "mean_gradient", "max_gradient", "update_ratio"]
    layers = ["block_1_conv_1", "block_2_conv_1", "head_dense_1", "logits"]
    assert [(int(r["step"]), r["layer"]) for r in rows] == [(s, layer) for s in range(1, 16) for layer in layers]
    assert all(0 < float(r["mean_gradient"]) < float(r["max_gradient"]) < math.inf for r in rows)
    assert done.fitted.gradients.layers == layers
    np.testing.assert_array_equal(
        done.fitted.gradients.ratio.ravel(), np.array([r["update_ratio"] for r in rows], np.float32)
    )


def test_diverging_gradients_are_recorded(train, table):
    with pytest.raises(RunError, match="not finite"):
        train("training.optimizer={name: sgd, learning_rate: 1e2}")
    rows = table(RunDirectory(Path("runs/tiny/1")).gradients)
    assert math.isfinite(float(rows[0]["mean_gradient"])) and not math.isfinite(float(rows[-1]["mean_gradient"]))
