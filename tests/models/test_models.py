import hashlib

import keras
import numpy as np
import pytest

from kerasexp.config.data_section import Preprocessing
from kerasexp.config.experiment import Experiment
from kerasexp.config.experiment_rules import broken_rules
from kerasexp.config.model_section import Cnn, ConvBlock, Head, Mlp
from kerasexp.models import build_model


def names(model):
    return [layer.name for layer in model.layers]


def test_the_papers_network_has_its_3_2_million_parameters():
    blocks = [ConvBlock(filters=32, convolutions=2, pool=2), ConvBlock(filters=64, convolutions=2, pool=2)]
    model = build_model(Cnn(blocks=blocks, head=Head(units=[1000], dropout=0.5)), Preprocessing(), 10, "paper")
    assert model.count_params() == 3_212_002
    assert model.input_shape == (None, 28, 28, 1) and model.output_shape == (None, 10)


def test_blocks_have_their_layers_in_order():
    block = ConvBlock(
        filters=4, convolutions=2, kernel=5, stride=2, padding="valid", activation="elu", batch_norm=True, dropout=0.1
    )
    model = build_model(Cnn(blocks=[block], pooling="average"), Preprocessing(), 3, "parts")
    assert names(model)[2:-3] == [
        "block_1_conv_1", "block_1_conv_1_norm", "block_1_conv_1_elu",
        "block_1_conv_2", "block_1_conv_2_norm", "block_1_conv_2_elu", "block_1_dropout",
    ]  # fmt: skip
    assert model.get_layer("block_1_conv_2").output.shape == (None, 8, 8, 4)


def test_mlp_has_its_units_and_accepts_colour_images():
    model = build_model(
        Mlp(units=[7, 5], activation="sigmoid", dropout=0.2), Preprocessing(size=[8, 6], channels=3), 2, "mlp"
    )
    assert [model.get_layer(f"dense_{n}").units for n in (1, 2)] == [7, 5]
    assert model.input_shape == (None, 8, 6, 3)


def test_the_model_rescales_images_and_its_probabilities_sum_to_one():
    model = build_model(Mlp(units=[4]), Preprocessing(size=[8, 8]), 3, "scaled")
    images = np.random.default_rng(0).integers(0, 256, (5, 8, 8, 1)).astype(np.uint8)
    scores = model.predict(images, verbose=0)
    np.testing.assert_allclose(scores.sum(axis=1), 1, atol=1e-6)
    assert model.get_layer("rescaling").scale == pytest.approx(1 / 255)
    assert model.inputs[0].dtype == "uint8"


def digest(weights):
    return hashlib.sha256(b"".join(weight.tobytes() for weight in weights)).hexdigest()


def test_names_and_initial_weights_of_plain_blocks_never_change():
    """Runs of earlier versions are repeated, and their layers are found by name; so the network is written out here."""
    blocks = [{"filters": 8, "kernel": 5, "stride": 2, "batch_norm": True, "pool": 2}, {"filters": 4, "dropout": 0.1}]
    keras.utils.set_random_seed(3)
    x = images = keras.Input((28, 28, 1), dtype="uint8", name="images")
    for layer in (
        keras.layers.Rescaling(1 / 255, name="rescaling"),
        keras.layers.Conv2D(
            8, 5, 2, "same", use_bias=False, kernel_initializer="he_normal", name="block_1_conv_1"
        ),
        keras.layers.BatchNormalization(momentum=0.9, name="block_1_conv_1_norm"),
        keras.layers.Activation("relu", name="block_1_conv_1_relu"),
        keras.layers.MaxPooling2D(2, name="block_1_pool"),
        keras.layers.Conv2D(4, 3, padding="same", kernel_initializer="he_normal", name="block_2_conv_1"),
        keras.layers.Activation("relu", name="block_2_conv_1_relu"),
        keras.layers.Dropout(0.1, name="block_2_dropout"),
        keras.layers.Flatten(name="flatten"),
        keras.layers.Dense(10, name="logits"),
        keras.layers.Activation("softmax", name="probabilities"),
    ):  # fmt: skip
        x = layer(x)
    before = keras.Model(images, x)
    keras.utils.set_random_seed(3)
    model = build_model(Cnn(blocks=blocks), Preprocessing(), 10, "now")
    assert names(model) == names(before)
    assert digest(model.get_weights()) == digest(before.get_weights())


@pytest.mark.parametrize("kind", ["conv", "mobile", "inverted_residual"])
@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize("size", [16, 28, 31])
def test_the_rule_about_sizes_agrees_with_keras(padding, size, kind):
    """A network that the rules accept can be built, and one that they refuse cannot."""
    for depth in range(1, 7):
        part = {"kind": kind, "filters": 2, "convolutions": 2, "stride": 1 + depth % 2, "pool": 2, "padding": padding}
        blocks = [part] * depth
        experiment = Experiment.model_validate(
            {"name": "x", "data": {"preprocessing": {"size": [size, size]}}, "model": Cnn(blocks=blocks).model_dump()}
        )
        refused = bool(list(broken_rules(experiment)))
        try:
            model = build_model(experiment.model, experiment.data.preprocessing, 2, "x")
            fits = all(0 not in layer.output.shape[1:] for layer in model.layers)
        except ValueError:
            fits = False
        assert fits != refused, depth


def test_a_shortcut_adds_the_input_and_projects_it_if_the_shapes_differ():
    blocks = [
        {"filters": 4},
        {"filters": 4, "convolutions": 2, "shortcut": True},
        {"kind": "mobile", "filters": 6, "convolutions": 2, "stride": 2, "shortcut": True, "pool": 2},
    ]
    model = build_model(Cnn(blocks=blocks), Preprocessing(size=[9, 11]), 3, "residual")
    names = [layer.name for layer in model.layers]
    assert "block_2_shortcut" not in names and names.index("block_3_sum") < names.index("block_3_pool")
    shortcut = model.get_layer("block_3_shortcut")
    assert shortcut.strides == (2, 2) and shortcut.kernel_size == (1, 1)
    images = np.random.default_rng(0).integers(0, 256, (2, 9, 11, 1)).astype(np.uint8)
    before, after, summed = (
        keras.Model(model.input, model.get_layer(name).output).predict(images, verbose=0)
        for name in ("block_1_conv_1_relu", "block_2_conv_2_relu", "block_2_sum")
    )
    assert np.allclose(summed, before + after, atol=1e-6)
