"""A network of a user's own, between the images and the layer `logits`."""

from __future__ import annotations

from typing import Any

import keras

from kerasexp.config.custom_code import CustomModel
from kerasexp.custom.code_import import import_code
from kerasexp.errors import Problem, UserError
from kerasexp.models.family import Family
from kerasexp.models.layer_numbers import named_layers, number_layers

# Names of the layers that the package adds.
TAKEN = ("images", "logits", "decoded_logits", "probabilities")


def build_custom(model: CustomModel, images: keras.KerasTensor) -> keras.KerasTensor:
    """Call a user's function on uint8 images [n, height, width, channels]; return its features [n, f].

    Raises:
        UserError: it returns something else, or names a layer as one that is added to it.
        CodeError: it raised an exception.
    """
    before = named_layers()
    features = import_code(model)(images)
    if not isinstance(features, keras.KerasTensor):
        raise _unfit(model, f"returned {_kind(features)}; it must return features, computed from its images")
    if len(features.shape) != 2 or None in features.shape[1:]:
        shape = list(features.shape)
        advice = "end it in Flatten or GlobalAveragePooling2D" if len(shape) == 4 else "they have two axes"
        raise _unfit(model, f"returned features of shape {shape}; [n, f] is needed: {advice}")
    try:
        network = keras.Model(images, features)
    except ValueError as error:
        raise _unfit(model, f"built no network: {' '.join(str(error).split())[:300]}") from None
    number_layers(network, before)
    if taken := [layer.name for layer in network.layers[1:] if layer.name in TAKEN]:
        raise _unfit(model, f"names a layer {taken[0]!r}, which is added to the network; rename it")
    return features


def _kind(value: Any) -> str:
    return "nothing" if value is None else f"a {type(value).__name__}"


def _unfit(model: CustomModel, message: str) -> UserError:
    return UserError(Problem(f"{model.reference.file.name}:{model.reference.function} {message}", key="model.name"))


# Layers that are called block_1_conv, block_1_norm and so on form a block.
CUSTOM = Family(build_custom, r"(block_\d+)")
