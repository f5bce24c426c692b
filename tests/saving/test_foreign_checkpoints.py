"""Checkpoints that were made with plain Keras: what their outputs become, and what is refused."""

import json
from pathlib import Path

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import layers

from kerasexp.config.data_section import Preprocessing
from kerasexp.errors import UserError
from kerasexp.saving.checkpoint import load_checkpoint, write_sidecars
from kerasexp.saving.model_file_graph import Graph, Node
from kerasexp.saving.model_file_outputs import output_activation

NAMES = ["across", "disc", "upright"]
IMAGES = np.random.default_rng(1).integers(0, 256, (20, 8, 8, 1)).astype(np.uint8)


def save(model: keras.Model, folder: Path, names: list[str] = NAMES) -> Path:
    """Save a model as a checkpoint of these classes."""
    folder.mkdir(exist_ok=True)
    model.save(folder / "model.keras")
    write_sidecars(folder, names, {name: name for name in names}, Preprocessing(size=[8, 8]))
    return folder


def ending_in(*last: keras.layers.Layer) -> keras.Model:
    """Return a plain sequential model that ends in these layers."""
    keras.utils.set_random_seed(0)
    begin = [keras.Input((8, 8, 1), dtype="uint8"), layers.Rescaling(1 / 255), layers.Conv2D(4, 3, activation="relu")]
    return keras.Sequential([*begin, layers.Flatten(), *last])


def with_huge_weights(model: keras.Model) -> keras.Model:
    """Return the model with finite weights in its last layer, whose products are not finite."""
    model.layers[-1].set_weights([np.full_like(weight, 3e38) for weight in model.layers[-1].get_weights()])
    return model


def in_two_branches(*last: keras.layers.Layer, activation: str = "softmax") -> keras.Model:
    """Return a functional model that merges two branches by the first of these layers."""
    images = keras.Input((8, 8, 1), dtype="uint8")
    features = layers.Flatten()(layers.Rescaling(1 / 255)(images))
    outputs = [layers.Dense(3, activation=activation)(features) for _ in range(2)]
    for layer in last:
        outputs = layer(outputs)
    return keras.Model(images, outputs)


def with_inner_models() -> keras.Model:
    start = keras.Input((6, 6, 4))
    functional = keras.Model(start, layers.ReLU()(start))
    inner = keras.Sequential([layers.Flatten(), layers.Dense(5, activation="relu")])
    head = keras.Sequential([keras.Sequential([layers.Dense(3)]), layers.Softmax()])
    return keras.Sequential([keras.Input((8, 8, 1)), layers.Conv2D(4, 3), functional, inner, layers.Dropout(0.5), head])


PROBABILITIES = {
    "softmax": lambda: ending_in(layers.Dense(3, activation="softmax")),
    "softmax layer": lambda: ending_in(layers.Dense(3), layers.Softmax()),
    "softmax activation": lambda: ending_in(layers.Dense(3), layers.Activation("softmax")),
    "softmax, then nothing": lambda: ending_in(
        layers.Dense(3, activation="softmax"), layers.Activation("linear"), layers.Rescaling(1.0), layers.Identity()
    ),
    "mean of two": lambda: in_two_branches(layers.Average()),
    "models within it": with_inner_models,
    "functional model within it": lambda: ending_in(in_two_branches_of_features()),
    "no weights": lambda: keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(3, 1, trainable=False),
            layers.GlobalAveragePooling2D(),
            layers.Softmax(),
        ]
    ),
}


def in_two_branches_of_features() -> keras.Model:
    start = keras.Input((144,))
    merged = layers.Add()([layers.Dense(3)(start), layers.Dense(3)(start)])
    return keras.Model(start, layers.Softmax()(merged))


@pytest.mark.parametrize("name", PROBABILITIES)
def test_a_model_that_gives_probabilities_is_taken_as_it_is(tmp_path, capsys, name):
    model = PROBABILITIES[name]()
    loaded = load_checkpoint(save(model, tmp_path / "checkpoint"))
    assert np.allclose(loaded.model.predict_on_batch(IMAGES), model.predict_on_batch(IMAGES), atol=1e-6)
    assert capsys.readouterr().err == ""


LOGITS = {
    "dense": lambda: ending_in(layers.Dense(3)),
    "linear activation": lambda: ending_in(layers.Dense(3), layers.Activation("linear"), layers.Dropout(0.5)),
    "divided by a temperature": lambda: ending_in(layers.Dense(3), layers.Rescaling(0.5)),
    "log softmax": lambda: ending_in(layers.Dense(3, activation="log_softmax")),
    "sum of two": lambda: in_two_branches(layers.Add(), activation="linear"),
    "all zero": lambda: ending_in(layers.Dense(3, kernel_initializer="zeros")),
    "a layer named as the added one": lambda: ending_in(layers.Dense(3, name="added_softmax")),
}


@pytest.mark.parametrize("name", LOGITS)
def test_logits_get_a_softmax_which_is_announced(tmp_path, capsys, name):
    model, folder = LOGITS[name](), tmp_path / "checkpoint"
    loaded = load_checkpoint(save(model, folder))
    logits = model.predict_on_batch(IMAGES).astype(np.float64)
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    assert np.allclose(loaded.model.predict_on_batch(IMAGES), expected, atol=1e-6)
    assert capsys.readouterr().err == f"{folder}/model.keras: the model gives logits; a softmax was added\n"


@pytest.mark.parametrize(
    ("activation", "added"), [("sigmoid", ""), ("hard_sigmoid", ""), (None, "; a sigmoid was added")]
)
def test_one_output_for_two_classes_is_the_probability_of_the_second(tmp_path, capsys, activation, added):
    model = ending_in(layers.Dense(1, activation=activation))
    loaded = load_checkpoint(save(model, tmp_path / "checkpoint", ["cat", "dog"]))
    output = model.predict_on_batch(IMAGES)[:, 0]
    second = output if activation else 1 / (1 + np.exp(-output))
    assert np.allclose(loaded.model.predict_on_batch(IMAGES), np.stack([1 - second, second], axis=1), atol=1e-6)
    assert f"used as the probability of 'dog', the second class{added}" in capsys.readouterr().err


REFUSED = {
    "a sigmoid for each class": (
        lambda: ending_in(layers.Dense(3, activation="sigmoid")),
        "a sigmoid for each of 3 classes, so that an image may have several classes or none",
    ),
    "per cent": (
        lambda: ending_in(layers.Dense(3, activation="softmax"), layers.Rescaling(100.0)),
        "its outputs are not probabilities: for images of noise they are from",
    ),
    "relu": (lambda: ending_in(layers.Dense(3, activation="relu")), "their last activation is relu"),
    "tanh": (lambda: ending_in(layers.Dense(3), layers.Activation("tanh")), "their last activation is tanh"),
    "sum of two softmaxes": (lambda: in_two_branches(layers.Add()), "their last activation is mixed"),
    "a softmax over places": (
        lambda: ending_in(layers.Dense(3), layers.Reshape((3, 1)), layers.Softmax(axis=-1), layers.Flatten()),
        "their last activation is mixed",
    ),
    "numbers that overflow": (
        lambda: with_huge_weights(ending_in(layers.Dense(3))),
        "its outputs for images of noise are not finite",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_known_to_be_probabilities_is_refused(tmp_path, name):
    model, message = REFUSED[name]
    with pytest.raises(UserError, match=message):
        load_checkpoint(save(model(), tmp_path / "checkpoint"))


def test_one_output_for_two_classes_that_is_no_sigmoid_is_refused(tmp_path):
    folder = save(ending_in(layers.Dense(1, activation="tanh")), tmp_path / "checkpoint", ["cat", "dog"])
    with pytest.raises(UserError, match="its last activation is tanh, not sigmoid"):
        load_checkpoint(folder)


ACTIVATIONS = st.sampled_from(
    ["linear", "softmax", "sigmoid", "relu", "tanh", "log_softmax", "exponential", "sparsemax"]
)
ENDS = st.sampled_from(
    [
        lambda: layers.Softmax(),
        lambda: layers.Rescaling(7.0, -1.0),
        lambda: layers.BatchNormalization(),
        lambda: layers.Identity(),
        lambda: layers.ReLU(),
        lambda: layers.Activation("sigmoid"),
        lambda: layers.LayerNormalization(),
    ]
)


@settings(derandomize=True, deadline=None, max_examples=40)
@given(activation=ACTIVATIONS, ends=st.lists(ENDS, max_size=3), outputs=st.sampled_from([1, 2]))
def test_whatever_a_model_ends_in_it_is_refused_or_gives_probabilities(tmp_path_factory, activation, ends, outputs):
    model = ending_in(layers.Dense(outputs, activation=activation), *(end() for end in ends))
    folder = save(model, tmp_path_factory.mktemp("any"), ["cat", "dog"])
    try:
        loaded = load_checkpoint(folder)
    except UserError as refused:
        assert "probabilit" in str(refused) or "end it in a softmax" in str(refused)
        return
    scores = loaded.model.predict_on_batch(IMAGES)
    assert scores.shape == (len(IMAGES), 2)
    assert (scores >= 0).all() and (scores <= 1).all() and np.allclose(scores.sum(axis=1), 1, atol=1e-5)


def test_sums_that_double_a_thousand_times_are_walked_once():
    start, dense = (
        Node("in", "InputLayer", {}, None, (), False, None),
        Node("0", "Dense", {}, None, ("in",), False, None),
    )
    sums = [Node(str(k), "Add", {}, None, (str(k - 1), str(k - 1)), True, None) for k in range(1, 1500)]
    assert output_activation(Graph("sums", "Functional", True, (start, dense, *sums), "in", "1499")) == "mixed"


# The commands


@pytest.fixture
def foreign(tmp_path) -> Path:
    return tmp_path / "foreign"


@pytest.mark.parametrize("model", [LOGITS["dense"], PROBABILITIES["models within it"]])
def test_the_commands_take_a_plain_sequential_model(cli, images, foreign, model):
    save(model(), foreign)
    answer = cli("predict", foreign, images, "--format", "json")
    assert answer.code == 0, answer.err
    assert all(0 <= top["probability"] <= 1 for file in json.loads(answer.out) for top in file["top"])
    answer = cli("evaluate", foreign, "--data", "image_folder", "--data-path", images, "--format", "json")
    assert answer.code == 0 and 0 <= json.loads(answer.out)["accuracy"] <= 1
    for form, size in (("tf_saved_model", "raw"), ("litert", "60x80")):
        answer = cli("export", foreign, "--format", form, "--input", size)
        assert answer.code == 0, answer.err


def test_weights_that_are_not_finite_are_refused_by_all_commands_with_the_name_of_the_layer(cli, images, foreign):
    model = ending_in(layers.Dense(3, activation="softmax", name="classes"))
    kernel, bias = model.layers[-1].get_weights()
    kernel[0, 0] = np.nan
    model.layers[-1].set_weights([kernel, bias])
    save(model, foreign)
    for command in (
        ("predict", foreign, images),
        ("evaluate", foreign, "--data", "image_folder", "--data-path", images),
        ("export", foreign, "--format", "tf_saved_model"),
        ("diagnose", images, "--reference", foreign),
    ):
        answer = cli(*command)
        assert answer.code == 2, command
        assert "the weights 'classes/kernel' are not finite: they hold NaN or infinity" in answer.err
        assert "nan" not in answer.out.lower()


def test_no_command_prints_nan_for_a_probability(cli, images, foreign):
    save(with_huge_weights(ending_in(layers.Dense(3, activation="softmax"))), foreign)
    for command in (
        ("predict", foreign, images),
        ("evaluate", foreign, "--data", "image_folder", "--data-path", images),
    ):
        answer = cli(*command)
        assert answer.code == 1 and "the model gives nan, which is not a probability" in answer.err
        assert "nan" not in answer.out.lower()
