"""What the file of a network says of its heat maps is what Grad-CAM then finds."""

from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers
from keras_networks import EfficientNetV2B0, MobileNetV2, ResNet50, built

from kerasexp.config.model_section import Cnn, Mlp, ResNet18
from kerasexp.config.shipped_files import shipped_checkpoints
from kerasexp.evaluation.grad_cam_support import supports_grad_cam
from kerasexp.evaluation.interpretation import GradCam
from kerasexp.models.nearest_neighbours_layer import NearestNeighbours
from kerasexp.saving.model_file import load_model


def network(*after: layers.Layer) -> keras.Model:
    """Return a network with one convolution and these layers after it."""
    images = keras.Input((16, 16, 3), dtype="uint8")
    outputs = layers.Conv2D(4, 3, name="conv")(layers.Rescaling(1 / 255)(images))
    for layer in after:
        outputs = layer(outputs)
    return keras.Model(images, outputs)


def beside() -> keras.Model:
    """Return a network whose last convolution does not lead to its last dense layer."""
    images = keras.Input((16, 16, 3), dtype="uint8")
    rescaled = layers.Rescaling(1 / 255)(images)
    weights = layers.GlobalAveragePooling2D()(layers.Conv2D(3, 3)(layers.Activation("relu")(rescaled)))
    logits = layers.Dense(3)(layers.ReLU()(layers.ReLU()(layers.ReLU()(layers.Flatten()(rescaled)))))
    return keras.Model(images, layers.Softmax()(layers.Multiply()([logits, weights])))


CLEAR = {
    "cnn": (lambda: built(Cnn()), True),
    "mlp": (lambda: built(Mlp()), False),
    "sequential": (
        lambda: keras.Sequential(
            [keras.Input((8, 8, 1)), layers.Conv2D(2, 3), layers.Flatten(), layers.Dense(3, activation="softmax")]
        ),
        True,
    ),
    **{
        name: (lambda name=name: keras.models.load_model(shipped_checkpoints()[name] / "model.keras"), True)
        for name in ("part1_scans", "part2_pretrained", "tiny_imagenet")
    },
}
LARGE = {
    "resnet18": (lambda: built(ResNet18()), True),
    "resnet50": (lambda: built(ResNet50(weights=None)), True),
    "mobilenet_v2": (lambda: built(MobileNetV2(weights=None)), True),
    "efficientnet_v2_b0": (lambda: built(EfficientNetV2B0(weights=None)), True),
}
UNCLEAR = {
    "nearest neighbours": lambda: network(layers.Flatten(), NearestNeighbours(5, 1, 3)),
    "no dense layer": lambda: network(layers.GlobalAveragePooling2D(), layers.Softmax()),
    "a dense layer for each place": lambda: network(layers.Dense(3), layers.GlobalAveragePooling2D(), layers.Softmax()),
    "a network in a network": lambda: network(
        keras.Sequential([keras.Input((14, 14, 4)), layers.Flatten()]), layers.Dense(3)
    ),
    "a convolution beside": beside,
}


def saved(model: keras.Model) -> Path:
    model.save("model.keras")
    return Path("model.keras")


@pytest.mark.parametrize("name", [*CLEAR, *(pytest.param(name, marks=pytest.mark.slow) for name in LARGE)])
def test_the_file_says_what_grad_cam_finds(name):
    make, expected = (CLEAR | LARGE)[name]
    file = saved(make())
    assert supports_grad_cam(file) is expected
    model = load_model(file)
    blank = np.zeros((1, *model.input_shape[1:]), np.uint8)
    assert (GradCam(model).heat(blank, np.array([2])) is not None) is expected


@pytest.mark.parametrize("name", UNCLEAR)
def test_of_other_networks_the_file_says_nothing(name):
    assert supports_grad_cam(saved(UNCLEAR[name]())) is None
