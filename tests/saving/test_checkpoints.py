"""The shipped checkpoints predict right after installation; accepted model files load as with Keras."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import get_args

import cv2
import keras
import numpy as np
import pytest
from keras import layers

from kerasexp.config.data_section import Preprocessing
from kerasexp.config.model_section import Activation, Cnn, ConvBlock, Head, InvertedResidualBlock, Mlp, MobileBlock
from kerasexp.errors import UserError
from kerasexp.models import build_model
from kerasexp.saving.allowed_layers import ACTIVATIONS, INITIALIZERS, LAYERS
from kerasexp.saving.checkpoint import find_checkpoint, is_checkpoint, load_checkpoint, write_sidecars
from kerasexp.saving.model_file import load_model
from kerasexp.saving.model_file_graph import read_graph

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = sorted(p.parent for p in (ROOT / "checkpoints").glob("*/model.keras"))


def test_the_shipped_checkpoints_exist_and_are_small():
    assert {p.name for p in SHIPPED} >= {"part1_scans", "part2_pretrained"}
    assert sum(f.stat().st_size for f in (ROOT / "checkpoints").rglob("*") if f.is_file()) < 10_000_000


def test_a_folder_of_runs_stands_for_the_newest_that_has_finished(tmp_path):
    for number, status in {"2": "finished", "10": "finished", "11": "failed", "12": None, "013": "finished"}.items():
        (tmp_path / "runs/mine" / number / "checkpoint").mkdir(parents=True)
        for name in ("model.keras", "classes.json", "preprocessing.json"):
            (tmp_path / "runs/mine" / number / "checkpoint" / name).touch()
        if status is not None:
            (tmp_path / "runs/mine" / number / "manifest.json").write_text(json.dumps({"status": status}))
    assert find_checkpoint(Path("runs/mine")) == Path("runs/mine/10/checkpoint") and is_checkpoint(Path("runs/mine"))
    assert find_checkpoint(Path("runs/mine/12")) == Path("runs/mine/12/checkpoint")
    assert not is_checkpoint(Path("runs"))
    with pytest.raises(UserError, match="runs: is not a checkpoint; accepted: .*, or a folder of numbered runs"):
        find_checkpoint(Path("runs"))


def test_resizing_does_not_turn_a_prediction_into_a_training():
    """In a plain call of the model that Keras loads, the layers after it are called as in a training."""
    images = keras.Input((6, 6, 1))
    x = layers.BatchNormalization()(layers.Resizing(12, 12)(images))
    path = saved(keras.Model(images, layers.Softmax()(layers.Dense(3)(layers.Flatten()(x)))))
    given = np.random.default_rng(1).uniform(0, 255, (4, 6, 6, 1)).astype("float32")
    ours = load_model(path)
    expected = keras.models.load_model(path, compile=False).predict(given, verbose=0)
    np.testing.assert_allclose(np.asarray(ours(given)), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("folder", SHIPPED, ids=lambda p: p.name)
def test_each_has_a_card_with_the_command_that_trains_it(folder):
    card = (folder / "README.md").read_text()
    assert "python -m kerasexp run experiments/" in card and "accuracy" in card


def drawn_one(size: tuple[int, int]) -> np.ndarray:
    """A plain upright stroke with a flag and a foot: the digit 1, black on white."""
    height, width = size
    page = np.full(size, 255, np.uint8)
    unit, middle = height // 8, width // 2
    thick = max(height // 22, 2)
    cv2.line(page, (middle, 2 * unit), (middle, 6 * unit), 0, thick, cv2.LINE_AA)
    return page


@pytest.mark.parametrize("size", [(900, 1200), (28, 28), (300, 200)])
def test_part2_recognises_a_one_at_any_size(cli, tmp_path, size):
    cv2.imwrite(str(tmp_path / "one.png"), drawn_one(size))
    answer = cli("predict", ROOT / "checkpoints" / "part2_pretrained", "one.png", "--format", "json")
    assert json.loads(answer.out)[0]["class"] == "1"


@pytest.mark.real
def test_part1_reads_real_scans(cli):
    """Some are its training images: this shows that images are decoded correctly, not how well it generalises."""
    scans = Path(os.environ["KERASEXP_DATA"]) / "trainPart1.zip"
    answer = cli(
        "evaluate",
        ROOT / "checkpoints" / "part1_scans",
        "--data",
        "image_folder",
        "--data-path",
        scans,
        "--format",
        "json",
    )
    assert json.loads(answer.out)["accuracy"] > 0.9


@pytest.mark.real
def test_part2_reads_mnist(cli):
    answer = cli("evaluate", ROOT / "checkpoints" / "part2_pretrained", "--data", "mnist", "--format", "json")
    assert json.loads(answer.out)["accuracy"] > 0.99


@pytest.mark.slow
@pytest.mark.parametrize("folder", SHIPPED, ids=lambda p: p.name)
def test_the_model_loads_with_keras_alone(folder):
    script = (
        "import sys; sys.modules['kerasexp'] = None  # as if it were not installed\n"
        "import keras, numpy as np\n"
        f"model = keras.models.load_model({str(folder / 'model.keras')!r})\n"
        "scores = model.predict(np.zeros((1, *model.input_shape[1:]), 'uint8'), verbose=0)\n"
        "assert abs(scores.sum() - 1) < 1e-5"
    )
    subprocess.run([sys.executable, "-c", script], check=True, capture_output=True)


# Every accepted file gives the model that Keras itself would load


def loads_as_with_keras(path: Path) -> keras.Model:
    """Compare our model with the one that Keras loads, and return it."""
    ours, theirs = load_model(path), keras.models.load_model(path, compile=False)
    assert [(layer.name, layer.trainable, layer.dtype_policy.name) for layer in ours.layers] == [
        (layer.name, layer.trainable, layer.dtype_policy.name) for layer in theirs.layers
    ]
    assert [weight.trainable for weight in ours.weights] == [weight.trainable for weight in theirs.weights]
    for our, their in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_array_equal(our, their)
    images = np.random.default_rng(0).integers(0, 256, (2, *ours.input_shape[1:])).astype("uint8")
    np.testing.assert_array_equal(ours.predict(images, verbose=0), theirs.predict(images, verbose=0))
    return ours


def saved(model: keras.Model) -> Path:
    """Save a model here, with weights that differ from all initial weights."""
    generator = np.random.default_rng(0)
    model.set_weights([generator.uniform(0.5, 1, w.shape).astype(w.dtype) for w in model.get_weights()])
    model.save("model.keras")
    return Path("model.keras")


@pytest.mark.parametrize("folder", SHIPPED, ids=lambda p: p.name)
def test_a_shipped_one_loads_as_with_keras(folder):
    loads_as_with_keras(folder / "model.keras")


FAMILIES = {
    **{name: Mlp(units=[4], activation=name, batch_norm=True, dropout=0.1) for name in get_args(Activation)},
    **{f"{name} pooling": Cnn(blocks=[ConvBlock(filters=4)], pooling=name) for name in ("flatten", "average", "max")},
    "all of a block": Cnn(
        blocks=[ConvBlock(filters=4, convolutions=2, stride=2, padding="valid", batch_norm=True, pool=2, dropout=0.1)],
        head=Head(units=[4], activation="gelu", batch_norm=True, dropout=0.1),
    ),
    "every kind of block": Cnn(
        blocks=[
            InvertedResidualBlock(filters=3, expansion=1, activation="relu6"),
            MobileBlock(filters=4, convolutions=2, stride=2, padding="valid", pool=2, dropout=0.1),
            ConvBlock(filters=4),
            InvertedResidualBlock(filters=4, convolutions=2, batch_norm=False),
        ],
        pooling="average",
    ),
}


@pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES)
def test_every_model_of_ours_loads_as_with_keras(family):
    model = build_model(family, Preprocessing(size=[12, 12], channels=3), 3, "ours")
    assert loads_as_with_keras(saved(model)).name == "ours"


@pytest.mark.parametrize("family", ["all of a block", "every kind of block"])
@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16", "bfloat16", "float64"])
def test_every_precision_loads_as_with_keras(policy, family):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        model = build_model(FAMILIES[family], Preprocessing(size=[12, 12]), 3, "precise")
        path = saved(model)
    finally:
        keras.config.set_dtype_policy(before)
    loads_as_with_keras(path)


def test_every_allowed_layer_loads_as_with_keras():
    x = images = keras.Input((8, 8, 3), dtype="uint8")
    conv = {
        "kernel_regularizer": keras.regularizers.L1L2(0.1, 0.1),
        "bias_constraint": "non_neg",
        "activation": "swish",
        "padding": "same",
    }
    for layer in (
        layers.Rescaling([0.1, 0.2, 0.3], offset=-1), layers.Normalization(mean=[1, 2, 3], variance=[1, 2, 3]),
        layers.Normalization(axis=[1, 3]), layers.Conv2D(4, 3, **conv), layers.BatchNormalization(), layers.ReLU(6),
        layers.DepthwiseConv2D(3, depth_multiplier=2, depthwise_constraint="max_norm"), layers.LeakyReLU(0.2),
        layers.SeparableConv2D(4, 3, pointwise_regularizer="l2"), layers.ELU(), layers.Conv2DTranspose(4, 3, strides=2),
        layers.GroupNormalization(2), layers.PReLU(shared_axes=[1, 2]), layers.MaxPooling2D(2), layers.Identity(),
        layers.AveragePooling2D(2, padding="same"), layers.ZeroPadding2D(((1, 0), (1, 2))), layers.Cropping2D(1),
        layers.UpSampling2D(2, interpolation="bilinear"), layers.SpatialDropout2D(0.1), layers.GaussianNoise(0.1),
        layers.GaussianDropout(0.1), layers.Resizing(6, 4), layers.GlobalAveragePooling2D(keepdims=True), layers.Softmax(),
        layers.GlobalMaxPooling2D(), layers.RepeatVector(3), layers.Permute((2, 1)), layers.LayerNormalization(),
        layers.UnitNormalization(),
        layers.Reshape((6, 2)), layers.Flatten(), layers.Dropout(0.5, seed=1), layers.Activation("tanh"),
    ):  # fmt: skip
        x = layer(x)
    for merging in (
        layers.Add, layers.Subtract, layers.Average, layers.Multiply, layers.Minimum, layers.Maximum, layers.Concatenate,
    ):  # fmt: skip
        x = merging()([x, layers.Activation("sigmoid")(x)])
    model = keras.Model(images, layers.Dense(3, trainable=False)(x))
    assert {type(layer).__name__ for layer in model.layers} == LAYERS | {"InputLayer"}
    loads_as_with_keras(saved(model))


def test_every_allowed_activation_and_initializer_loads_as_with_keras():
    x = images = keras.Input((4, 4, 1), dtype="uint8")
    x = layers.Flatten()(x)
    for name in sorted(INITIALIZERS):
        x = layers.Dense(8, kernel_initializer=getattr(keras.initializers, name)())(x)
    merged = layers.Add()([layers.Activation(name)(x) for name in sorted(ACTIVATIONS)])
    loads_as_with_keras(saved(keras.Model(images, merged)))


def test_a_frozen_backbone_as_a_layer_loads_as_with_keras():
    x = start = keras.Input((8, 8, 3))
    x = layers.BatchNormalization()(layers.DepthwiseConv2D(3, padding="same")(x))
    backbone = keras.Model(start, layers.Add()([start, layers.ReLU(6)(x)]), name="backbone")
    backbone.trainable = False
    images = keras.Input((8, 8, 3), dtype="uint8")
    features = backbone(layers.Rescaling(1 / 127.5, offset=-1)(images), training=False)
    model = keras.Model(images, layers.Dense(3)(layers.GlobalAveragePooling2D()(features)))
    loaded = loads_as_with_keras(saved(model))
    assert not loaded.get_layer("backbone").trainable and len(loaded.trainable_weights) == 2


@pytest.mark.parametrize("name", ["ResNet50", "MobileNetV2", "EfficientNetV2B0", "MobileNetV3Small", "ConvNeXtTiny"])
def test_other_backbones_consist_of_allowed_layers(name):
    backbone = getattr(keras.applications, name)(include_top=False, weights=None, input_shape=(64, 64, 3))
    nested = [layer for layer in backbone.layers if isinstance(layer, keras.Sequential)]
    in_nested = sum(len(json.loads(layer.to_json())["config"]["layers"]) for layer in nested)
    assert len(read_graph(json.loads(backbone.to_json()))) == len(backbone.operations) + in_nested


def test_sums_and_products_become_layers_that_compute_the_same(tmp_path):
    """With a number on either side, with a second tensor, and in half precision."""
    images = keras.Input((4, 4, 1), dtype="uint8")
    scaled = layers.Rescaling(1 / 255)(images)
    half = layers.Conv2D(3, 3, dtype="mixed_float16")(scaled) * 0.5
    sums = layers.Flatten()(0.25 * (half + 3)) + layers.Flatten()(half) * layers.Flatten()(half)
    path = saved(keras.Model(images, layers.Dense(3)(sums)))
    given = np.random.default_rng(0).integers(0, 256, (2, 4, 4, 1)).astype("uint8")
    expected = keras.models.load_model(path).predict(given, verbose=0)
    np.testing.assert_allclose(load_model(path).predict(given, verbose=0), expected, rtol=1e-3)


def test_classes_of_any_name_are_written_and_read(tmp_path):
    """The name of a folder, and so of a class, may not be UTF-8."""
    names, how = ["\udcff", "\u00e9", "e\u0301", "A", "a"], Preprocessing(size=[8, 8])
    build_model(Mlp(units=[2]), how, len(names), "named").save("model.keras")
    write_sidecars(tmp_path, names, {**{name: name for name in names}, "unselected": "other"}, how)
    loaded = load_checkpoint(tmp_path)
    assert loaded.class_names == names and loaded.folders["unselected"] == "other"


def test_class_names_that_could_not_be_loaded_are_refused_before_training(tmp_path):
    with pytest.raises(UserError, match="control characters"):
        write_sidecars(tmp_path, ["a", "b\n"], {"a": "a", "b\n": "b\n"}, Preprocessing())
    assert list(tmp_path.iterdir()) == []
