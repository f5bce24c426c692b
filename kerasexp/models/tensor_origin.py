"""Where a tensor of a functional model comes from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import keras


def origin(outputs: keras.KerasTensor) -> tuple[Any, keras.KerasTensor | None]:
    """Return the layer or operation that gave a tensor, and the first input of that call; None if it has none."""
    layer, call, _ = outputs._keras_history
    return layer, next(iter(layer._inbound_nodes[call].input_tensors), None)
