"""Operations counted from shapes, compared with published counts and with some counted by hand."""

import json
import re

import keras
import pytest
from keras import layers

from kerasexp.config.data_section import Preprocessing
from kerasexp.config.model_section import Cnn, Head, Mlp
from kerasexp.models import build_model
from kerasexp.models.flops import OPERATIONS, PRODUCTS, flops, multiply_adds
from kerasexp.models.own_layers import OWN_LAYERS
from kerasexp.saving.allowed_layers import LAYERS


def alone(layer: layers.Layer, *shape: int) -> keras.Model:
    start = keras.Input(shape)
    return keras.Model(start, layer(start))


@pytest.mark.parametrize(
    ("name", "published"),
    [
        ("MobileNet", 569e6),  # Howard et al. 2017, table 8
        ("MobileNetV2", 300e6),  # Sandler et al. 2018, table 4
        ("ResNet50", 3.86e9),  # of the first version; He et al. 2016, table 1: 3.8e9
    ],
)
def test_multiply_adds_equal_those_in_the_papers(name, published):
    model = getattr(keras.applications, name)(weights=None)
    assert multiply_adds(model) == pytest.approx(published, rel=0.02)
    assert 2 * multiply_adds(model) < flops(model) < 2.1 * multiply_adds(model)


@pytest.mark.parametrize(
    ("layer", "shape", "products", "others"),
    [
        (layers.Dense(5), (7,), 35, 5),
        (layers.Dense(5, use_bias=False), (2, 7), 70, 0),
        (layers.Conv2D(4, 3, padding="same"), (8, 6, 2), 8 * 6 * 4 * 3 * 3 * 2, 8 * 6 * 4),
        (layers.Conv2D(4, 3, strides=2, activation="relu"), (9, 9, 2), 4 * 4 * 4 * 18, 2 * 4 * 4 * 4),
        (layers.Conv2D(4, 3, groups=2, use_bias=False), (9, 9, 2), 7 * 7 * 4 * 9, 0),
        (layers.DepthwiseConv2D((3, 2), depth_multiplier=2), (8, 8, 3), 6 * 7 * 6 * 6, 6 * 7 * 6),
        (layers.SeparableConv2D(5, 3, use_bias=False), (8, 8, 3), 6 * 6 * 3 * (9 + 5), 0),
        (layers.Conv2DTranspose(5, 3, strides=2), (4, 4, 3), 4 * 4 * 3 * 5 * 9, 9 * 9 * 5),
        (layers.MaxPooling2D(3), (9, 9, 2), 0, 9 * 9 * 2),
        (layers.GlobalAveragePooling2D(), (4, 4, 2), 0, 32),
        (layers.BatchNormalization(), (4, 4, 2), 0, 64),
        (layers.LayerNormalization(), (4, 4, 2), 0, 192),
        (layers.Rescaling(2.0), (4, 4, 2), 0, 64),
        (layers.Activation("softmax"), (5,), 0, 5),
        (layers.Activation("linear"), (5,), 0, 0),
        (layers.ReLU(), (5,), 0, 5),
        (layers.Dropout(0.5), (5,), 0, 0),
        (layers.Flatten(), (5, 2), 0, 0),
    ],
)
def test_layers_are_counted_as_by_hand(layer, shape, products, others):
    model = alone(layer, *shape)
    assert multiply_adds(model) == products
    assert flops(model) == 2 * products + others


def test_a_sum_adds_each_input_but_the_first():
    start = keras.Input((3, 4))
    assert flops(keras.Model(start, layers.Add()([start, start, start]))) == 24


def test_the_layers_of_a_nested_model_are_counted():
    inner = alone(layers.Dense(5), 7)
    assert flops(alone(inner, 7)) == flops(inner) == 75


def test_a_layer_and_a_model_count_each_time_they_are_called():
    start, layer = keras.Input((5,)), layers.Dense(5, use_bias=False)
    twice = keras.Model(start, layer(layer(start)))
    assert multiply_adds(twice) == 2 * 25
    assert multiply_adds(keras.Model(start, layers.Add()([twice(start), twice(twice(start))]))) == 6 * 25


def test_every_layer_that_a_model_file_may_contain_is_counted():
    assert {kind.__name__ for kind in (*PRODUCTS, *OPERATIONS)} == LAYERS | OWN_LAYERS.keys() | {"InputLayer"}


class Doubling(layers.Layer):
    """A layer class that `flops` does not know."""

    def call(self, inputs):
        return 2 * inputs


def test_with_an_unknown_layer_the_count_is_unknown():
    assert flops(alone(Doubling(), 5)) is None
    assert flops(alone(alone(Doubling(), 5), 5)) is None
    assert multiply_adds(alone(Doubling(), 5)) == 0


def test_operations_are_counted_and_unknown_ones_make_the_count_unknown():
    """`x + y` and `x * y` are no layers."""
    inputs = keras.Input((5,))
    assert flops(keras.Model(inputs, (inputs + 3) * inputs)) == 5 + 5
    assert flops(keras.Model(inputs, inputs - 3)) is None


def test_a_run_with_an_unknown_layer_goes_on(cli, tiny_yaml, tmp_path, monkeypatch):
    monkeypatch.delitem(OPERATIONS, layers.Rescaling)
    assert "unknown FLOPs for one image" in cli("check", tiny_yaml).out
    answer = cli("run", tiny_yaml, "--set", "training.epochs=1")
    assert answer.code == 0, answer.err
    run = tmp_path / answer.last_line
    assert json.loads((run / "manifest.json").read_text())["flops"] is None
    assert re.search(r"FLOPs for one image</td><td>unknown<", (run / "report.html").read_text())


def test_our_models_are_counted_for_one_image():
    mlp = build_model(Mlp(units=[4]), Preprocessing(size=[8, 8]), 3, "mlp")
    assert multiply_adds(mlp) == 64 * 4 + 4 * 3
    assert flops(mlp) == 2 * (64 * 4 + 4 * 3) + 2 * 64 + (4 + 4) + (3 + 3)  # rescaling; biases, relu; biases, softmax
    cnn = Cnn(blocks=["conv", "mobile", "inverted_residual"], head=Head(units=[5], batch_norm=True))
    assert flops(build_model(cnn, Preprocessing(), 10, "cnn")) > 0


def test_run_and_check_report_them(cli, tiny_yaml, tmp_path):
    run = cli("run", tiny_yaml).last_line
    count = json.loads((tmp_path / run / "manifest.json").read_text())["flops"]
    assert f"{count:,} FLOPs for one image" in cli("check", tiny_yaml).out
    assert f"<td>{count:,}</td>" in (tmp_path / run / "report.html").read_text()
