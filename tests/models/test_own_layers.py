"""The layers that Keras does not have: label mapping and nearest neighbours."""

import keras
import numpy as np
import pytest
from sklearn.neighbors import KNeighborsClassifier

from kerasexp.errors import UserError
from kerasexp.models.label_mapping_layer import LabelMapping
from kerasexp.models.nearest_neighbours_layer import NearestNeighbours
from kerasexp.models.own_layers import OWN_LAYERS, OwnLayer
from kerasexp.saving.model_file import load_model

GENERATOR = np.random.default_rng(0)
LOGITS = GENERATOR.normal(size=(50, 6)).astype(np.float32)
GROUPS = [[0, 2], [], [5]]


def softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def test_max_takes_the_largest_logit_of_each_group():
    found = np.asarray(LabelMapping(GROUPS, "max")(LOGITS))
    np.testing.assert_array_equal(found[:, 0], LOGITS[:, [0, 2]].max(axis=1))
    np.testing.assert_array_equal(found[:, 2], LOGITS[:, 5])


def test_sum_adds_the_probabilities_of_each_group():
    groups = [*GROUPS, [1, 3, 4]]
    found, every = softmax(np.asarray(LabelMapping(groups, "sum")(LOGITS))), softmax(LOGITS)
    expected = np.stack([every[:, group].sum(axis=1) for group in groups], axis=1)
    np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize("combine", ["max", "sum"])
def test_a_class_without_outputs_has_no_probability(combine):
    assert (softmax(np.asarray(LabelMapping(GROUPS, combine)(LOGITS)))[:, 1] == 0).all()
    assert np.isfinite(np.asarray(LabelMapping([[], []], combine)(LOGITS))).all()


def neighbours(count: int, points: np.ndarray, labels: np.ndarray, classes: int) -> keras.Model:
    images = keras.Input((2, 2, 1), dtype="uint8")
    layer = NearestNeighbours(len(points), count, classes, name="logits")
    outputs = layer(keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(images)))
    layer.set_weights([points.T, labels])
    return keras.Model(images, keras.layers.Softmax()(outputs))


@pytest.mark.parametrize("count", [1, 4, 7])
def test_neighbours_vote_as_in_scikit_learn(count):
    points, labels = GENERATOR.random((40, 4)).astype(np.float32), GENERATOR.integers(0, 3, 40)
    images = GENERATOR.integers(0, 256, (200, 2, 2, 1)).astype(np.uint8)
    expected = KNeighborsClassifier(count).fit(points, labels).predict_proba(images.reshape(-1, 4) / np.float32(255))
    scores = neighbours(count, points, labels, 3).predict(images, verbose=0)
    np.testing.assert_array_equal(scores.argmax(axis=1), expected.argmax(axis=1))
    np.testing.assert_allclose(scores, (expected * count + 0.1) / (count + 0.3), atol=1e-5)


@pytest.mark.parametrize("kind", ["neighbours", "mapping"])
def test_own_layers_are_loaded_from_a_strangers_file(kind, tmp_path):
    points, labels = GENERATOR.random((9, 4)).astype(np.float32), np.arange(9) % 3
    if kind == "neighbours":
        model = neighbours(2, points, labels, 3)
    else:
        images = keras.Input((2, 2, 1), dtype="uint8")
        logits = keras.layers.Dense(6)(keras.layers.Flatten()(images))
        model = keras.Model(images, LabelMapping(GROUPS, "sum")(logits))
    model.save(tmp_path / "model.keras")
    images = GENERATOR.integers(0, 256, (5, 2, 2, 1)).astype(np.uint8)
    expected = model.predict(images, verbose=0)
    np.testing.assert_array_equal(load_model(tmp_path / "model.keras").predict(images, verbose=0), expected)


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (NearestNeighbours(9, 3, 2), "examples"),
        (LabelMapping([[0]], "max"), "groups"),
    ],
)
def test_arguments_that_need_too_much_memory_are_refused(layer, message, tmp_path):
    config = layer.get_config()
    config[message] = {"examples": 9, "groups": [[]] * 2_000_000}[message]
    if message == "examples":
        config |= {"neighbours": 2**11, "classes": 2**11}
    with pytest.raises((TypeError, ValueError), match="more than"):  # Keras makes a TypeError of the first
        type(layer).from_config(config)(np.zeros((1, 6), np.float32))


def test_a_layer_of_the_same_name_from_another_package_is_refused(tmp_path):
    @keras.saving.register_keras_serializable("others", "LabelMapping")
    class Other(keras.layers.Layer):
        def call(self, inputs):
            return inputs

    Other.__name__ = "LabelMapping"
    images = keras.Input((2, 2, 1), dtype="uint8")
    keras.Model(images, Other()(keras.layers.Flatten()(images))).save(tmp_path / "model.keras")
    with pytest.raises(UserError, match="only the one from kerasexp.models.label_mapping_layer"):
        load_model(tmp_path / "model.keras")


@keras.saving.register_keras_serializable("kerasexp")
class Scaling(keras.layers.Layer):
    """A layer that is not in the registry."""

    def __init__(self, direction: str, **kwargs):
        super().__init__(**kwargs)
        self.direction = direction

    def call(self, inputs):
        return inputs * (2 if self.direction == "up" else 0.5)

    def get_config(self):
        return {**super().get_config(), "direction": self.direction}


def test_a_new_layer_is_accepted_in_model_files_by_one_line(tmp_path, monkeypatch):
    images = keras.Input((2, 2, 1), dtype="uint8")
    features = keras.layers.Flatten()(keras.layers.Rescaling(1.0)(images))
    for direction in ("up", "sideways"):
        keras.Model(images, Scaling(direction)(features)).save(tmp_path / f"{direction}.keras")
    with pytest.raises(UserError, match="'Scaling' is from"):
        load_model(tmp_path / "up.keras")
    scaling = OwnLayer(Scaling, lambda layer: 4, {"direction": {"up", "down"}})
    monkeypatch.setitem(OWN_LAYERS, "Scaling", scaling)
    pixels = np.full((1, 2, 2, 1), 3, np.uint8)
    np.testing.assert_array_equal(load_model(tmp_path / "up.keras").predict(pixels, verbose=0), np.full((1, 4), 6))
    with pytest.raises(UserError, match="direction: 'sideways' is not accepted"):
        load_model(tmp_path / "sideways.keras")
