"""Whether a model computes in half precision, whose probabilities have two or three digits."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import keras

HALF = {"float16", "bfloat16"}


def computes_in_half(model: keras.Model) -> bool:
    """Return whether a layer of the model computes in float16 or bfloat16."""
    return any(getattr(layer, "compute_dtype", None) in HALF for layer in flat_layers(model))


def flat_layers(model: keras.Model) -> Iterator[keras.layers.Layer]:
    """Yield a model's layers without its inputs; a model that is used as a layer is replaced by its layers."""
    import keras

    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from flat_layers(layer)
        elif not isinstance(layer, keras.layers.InputLayer):
            yield layer
