import numpy as np
import pytest

from kerasexp.config.data import Preprocessing
from kerasexp.config.experiment import Experiment
from kerasexp.config.model import Block, Cnn, Head, Mlp
from kerasexp.config.rules import broken_rules
from kerasexp.models import build_model


def names(model):
    return [layer.name for layer in model.layers]


def test_the_reports_network_has_its_3_2_million_parameters():
    blocks = [Block(filters=32, convolutions=2, pool=2), Block(filters=64, convolutions=2, pool=2)]
    model = build_model(Cnn(blocks=blocks, head=Head(units=[1000], dropout=0.5)), Preprocessing(), 10, "report")
    assert model.count_params() == 3_212_002
    assert model.input_shape == (None, 28, 28, 1) and model.output_shape == (None, 10)


def test_blocks_have_their_parts_in_order():
    block = Block(
        filters=4, convolutions=2, kernel=5, stride=2, padding="valid", activation="elu", batch_norm=True, dropout=0.1
    )
    model = build_model(Cnn(blocks=[block], pooling="average"), Preprocessing(), 3, "parts")
    assert names(model)[2:-3] == [
        "block_1_conv_1", "block_1_conv_1_norm", "block_1_conv_1_elu",
        "block_1_conv_2", "block_1_conv_2_norm", "block_1_conv_2_elu", "block_1_dropout",
    ]  # fmt: skip
    assert model.get_layer("block_1_conv_2").output.shape == (None, 8, 8, 4)


def test_mlp_has_its_units_and_takes_colour():
    model = build_model(
        Mlp(units=[7, 5], activation="sigmoid", dropout=0.2), Preprocessing(size=[8, 6], channels=3), 2, "mlp"
    )
    assert [model.get_layer(f"dense_{n}").units for n in (1, 2)] == [7, 5]
    assert model.input_shape == (None, 8, 6, 3)


def test_pictures_are_rescaled_inside_and_probabilities_sum_to_one():
    model = build_model(Mlp(units=[4]), Preprocessing(size=[8, 8]), 3, "scaled")
    pictures = np.random.default_rng(0).integers(0, 256, (5, 8, 8, 1)).astype(np.uint8)
    scores = model.predict(pictures, verbose=0)
    np.testing.assert_allclose(scores.sum(axis=1), 1, atol=1e-6)
    assert model.get_layer("rescaling").scale == pytest.approx(1 / 255)
    assert model.inputs[0].dtype == "uint8"


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize("size", [16, 28, 31])
def test_the_rule_on_sizes_agrees_with_keras(padding, size):
    """A network that the rules let pass can be built, and one that they refuse cannot."""
    for depth in range(1, 7):
        blocks = [Block(filters=2, convolutions=2, kernel=3, stride=1 + depth % 2, pool=2, padding=padding)] * depth
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
