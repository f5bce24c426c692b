"""The model as it leaves: in float32, of layers that all formats can hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import keras

HALF = {"float16", "bfloat16"}
# float32 has seven digits, of which a deep network's sums cost two or three; bfloat16 has hardly three.
BOUND, HALF_BOUND = 1e-4, 1e-2


def portable(model: keras.Model) -> keras.Model:
    """Return a copy that computes in float32 whatever the original computes in; its output is named `probabilities`.

    LiteRT has no layers in bfloat16 or float64, and ONNX Runtime has few of them.
    """
    import keras

    pairs = []

    def copied(layer: keras.layers.Layer) -> keras.layers.Layer:
        twin = _plain_normalization(layer) or type(layer).from_config({**layer.get_config(), "dtype": "float32"})
        pairs.append((layer, twin))
        return twin

    copy = keras.models.clone_model(model, clone_function=copied, recursive=True)
    for layer, twin in pairs:
        if type(layer) is type(twin):
            twin.set_weights(layer.get_weights())
    return keras.Model(copy.inputs[0], {"probabilities": copy.outputs[0]}, name=model.name)


def _plain_normalization(layer: keras.layers.Layer) -> keras.layers.Layer | None:
    """Return what does the same as a `Normalization`, whose tensors tf2onnx takes for further inputs; None for others."""
    import keras

    if not isinstance(layer, keras.layers.Normalization) or layer.invert:
        return None
    mean, variance = np.asarray(layer.mean), np.asarray(layer.variance)
    scale = 1 / np.maximum(np.sqrt(variance), keras.config.epsilon())
    return keras.layers.Rescaling(scale, -mean * scale, dtype="float32", name=layer.name)


def bound_of(model: keras.Model) -> float:
    """Return how far probabilities in float32 may be from the model's, by whether any layer computes in half precision."""
    return HALF_BOUND if any(layer.compute_dtype in HALF for layer in _layers(model)) else BOUND


def _layers(model: keras.Model):
    import keras

    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from _layers(layer)
        elif not isinstance(layer, keras.layers.InputLayer):
            yield layer


def signature(model: keras.Model) -> list[keras.InputSpec]:
    """Return what the exported model takes: any number of uint8 images."""
    import keras

    return [keras.InputSpec(shape=model.inputs[0].shape, dtype="uint8", name="images")]
