"""Operations counted from shapes, beside figures that are published and some that are counted by hand."""

import json

import keras
import pytest
from keras import layers

from kerasexp.config.data import Preprocessing
from kerasexp.config.model import Cnn, Head, Mlp
from kerasexp.models import build_model
from kerasexp.models.flops import OPERATIONS, PRODUCTS, flops, multiply_adds
from kerasexp.saving.allowed_layers import LAYERS, OWN


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
def test_multiply_adds_are_those_of_the_papers(name, published):
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
def test_a_layer_counts_as_by_hand(layer, shape, products, others):
    model = alone(layer, *shape)
    assert multiply_adds(model) == products
    assert flops(model) == 2 * products + others


def test_a_sum_adds_each_input_but_the_first():
    start = keras.Input((3, 4))
    assert flops(keras.Model(start, layers.Add()([start, start, start]))) == 24


def test_a_model_as_a_layer_counts_its_own_layers():
    inner = alone(layers.Dense(5), 7)
    assert flops(alone(inner, 7)) == flops(inner) == 75


def test_every_layer_that_a_model_file_may_have_is_known():
    assert {kind.__name__ for kind in (*PRODUCTS, *OPERATIONS)} == LAYERS | OWN.keys() | {"InputLayer"}


def test_another_layer_is_told():
    with pytest.raises(TypeError, match="the operations of Conv1D are not known"):
        flops(alone(layers.Conv1D(2, 3), 5, 1))


def test_our_models_are_counted_for_one_image():
    mlp = build_model(Mlp(units=[4]), Preprocessing(size=[8, 8]), 3, "mlp")
    assert multiply_adds(mlp) == 64 * 4 + 4 * 3
    assert flops(mlp) == 2 * (64 * 4 + 4 * 3) + 2 * 64 + (4 + 4) + (3 + 3)  # rescaling; biases, relu; biases, softmax
    cnn = Cnn(blocks=["conv", "mobile", "inverted_residual"], head=Head(units=[5], batch_norm=True))
    assert flops(build_model(cnn, Preprocessing(), 10, "cnn")) > 0


def test_a_run_and_a_check_tell_them(cli, tiny_yaml, tmp_path):
    run = cli("run", tiny_yaml).last_line
    told = json.loads((tmp_path / run / "manifest.json").read_text())["flops"]
    assert f"{told:,} FLOPs for one image" in cli("check", tiny_yaml).err + cli("check", tiny_yaml).out
    assert f"<td>{told:,}</td>" in (tmp_path / run / "report.html").read_text()
