"""Models whose probabilities are calibrated: the temperature that was fitted on val inside the network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from kerasexp.models.tensor_origin import origin

if TYPE_CHECKING:
    import keras


def calibrated_model(model: keras.Model, temperature: float | None) -> keras.Model:
    """Return a classifier with probabilities softmax(log p / T); it shares the layers below the logits with `model`.

    Where a softmax follows a dense layer, the weights of that layer are divided by T, which gives these probabilities without
    another operation, in every format and in 8 bits. Elsewhere, operations are added at the end.

    Args:
        model: from images to probabilities.
        temperature: T; None or 1 leaves the model as it is.
    """
    import keras

    if temperature is None or temperature == 1:
        return model
    probabilities = model.outputs[0]
    last, below = origin(probabilities)
    dense, softmax = last, None
    if not isinstance(last, keras.layers.Dense) and _is_softmax(last):
        softmax = type(last).from_config(last.get_config())
        dense, below = origin(below)
    activation = keras.activations.softmax if softmax is None else keras.activations.linear
    if isinstance(dense, keras.layers.Dense) and dense.activation is activation:
        logits = _divided(dense, below, temperature)
        outputs = logits if softmax is None else softmax(logits)
    else:
        least = float(np.finfo(np.float32).tiny)
        scaled = keras.ops.log(keras.ops.maximum(keras.ops.cast(probabilities, "float32"), least)) / temperature
        outputs = keras.ops.softmax(scaled)
    return keras.Model(model.inputs[0], outputs, name=model.name)


def _is_softmax(layer: Any) -> bool:
    import keras

    activation = getattr(layer, "activation", None)
    return isinstance(layer, keras.layers.Softmax) or activation is keras.activations.softmax


def _divided(dense: keras.layers.Dense, inputs: keras.KerasTensor, temperature: float) -> keras.KerasTensor:
    """Return the output of a copy of a dense layer whose weights are divided by the temperature."""
    twin = type(dense).from_config(dense.get_config())
    outputs = twin(inputs)
    twin.set_weights([np.asarray(weight / temperature, weight.dtype) for weight in dense.get_weights()])
    return outputs
