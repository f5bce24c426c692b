"""The model to export: a copy in float32, of layers that all formats support."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from kerasexp.saving.allowed_layers import LAYERS, own_layer
from kerasexp.saving.half_precision import computes_in_half

if TYPE_CHECKING:
    import keras

# float32 has seven digits, of which the sums of a deep network lose two or three; bfloat16 has less than three.
TOLERANCE, HALF_TOLERANCE = 1e-4, 1e-2


def float32_copy(model: keras.Model) -> keras.Model:
    """Return a copy that computes in float32; its output is named `probabilities`.

    LiteRT supports no layers in bfloat16 or float64, and ONNX Runtime few of them.
    """
    import keras

    pairs = []

    def convert(layer: keras.layers.Layer) -> keras.layers.Layer:
        if _is_of_user(layer) and (not isinstance(layer, keras.layers.Layer) or layer.compute_dtype == "float32"):
            return layer  # it need not have a configuration to be made from
        twin = _as_rescaling(layer) or type(layer).from_config({**layer.get_config(), "dtype": "float32"})
        pairs.append((layer, twin))
        return twin

    copy = keras.models.clone_model(model, clone_function=convert, recursive=True)
    for layer, twin in pairs:
        if type(layer) is type(twin):
            twin.set_weights(layer.get_weights())
    return keras.Model(copy.inputs[0], {"probabilities": copy.outputs[0]}, name=model.name)


def _is_of_user(layer: keras.Operation) -> bool:
    """Return whether a layer or operation is none of those that a checkpoint without code may hold."""
    return type(layer).__name__ not in LAYERS and own_layer(type(layer).__name__) is None


def _as_rescaling(layer: keras.layers.Layer) -> keras.layers.Layer | None:
    """Return the `Rescaling` that equals a `Normalization`, as tf2onnx takes its tensors for inputs; None for other layers."""
    import keras

    if not isinstance(layer, keras.layers.Normalization) or layer.invert:
        return None
    mean, variance = np.asarray(layer.mean), np.asarray(layer.variance)
    scale = 1 / np.maximum(np.sqrt(variance), keras.config.epsilon())
    return keras.layers.Rescaling(scale, -mean * scale, dtype="float32", name=layer.name)


def tolerance(model: keras.Model) -> float:
    """Return the largest difference allowed between probabilities in float32 and the model's own."""
    return HALF_TOLERANCE if computes_in_half(model) else TOLERANCE


def input_signature(model: keras.Model) -> list[keras.InputSpec]:
    """Return the input of the exported model: any number of uint8 images."""
    import keras

    return [keras.InputSpec(shape=model.inputs[0].shape, dtype="uint8", name="images")]
