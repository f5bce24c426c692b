"""Whether Grad-CAM can explain a network, read from its file: Keras, whose import takes seconds, is not needed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kerasexp.saving.model_archive import CONFIG, open_members, read_json
from kerasexp.saving.model_file_graph import MODELS, SEQUENTIAL

CONVOLUTIONS = {"Conv2D", "Conv2DTranspose", "DepthwiseConv2D", "SeparableConv2D"}
WEIGHTED = {"BatchNormalization", "Dense", "LayerNormalization", "LayerScale"}
# Layers through which every network passes a gradient; with others it depends on their arguments.
DIFFERENTIABLE = WEIGHTED | {
    "Activation", "Add", "AveragePooling2D", "Concatenate", "Dropout", "Flatten", "GlobalAveragePooling2D",
    "GlobalMaxPooling2D", "LabelMapping", "MaxPooling2D", "Multiply", "ReLU", "Rescaling", "Softmax", "SpatialDropout2D",
}  # fmt: skip


def supports_grad_cam(model: Path) -> bool | None:
    """Return whether `GradCam` has heat maps for a `model.keras`; None where only Keras can find it out.

    It has none without a convolution. It has some where every layer from the last convolution to the logits passes the gradient on,
    and the logits are those of a dense layer for each image.

    Args:
        model: a file that has been checked, as those with a graph have been.
    """
    with open_members(model) as archive:
        content = read_json(archive, CONFIG)
    layers = content["config"]["layers"]
    kinds = [layer["class_name"] for layer in layers]
    if not MODELS.keys().isdisjoint(kinds):
        return None
    last = max((place for place, kind in enumerate(kinds) if kind in CONVOLUTIONS), default=None)
    if last is None:
        return False
    logits = max(place for place, kind in enumerate(kinds) if kind in WEIGHTED or place == last)
    if kinds[logits] != "Dense" or not DIFFERENTIABLE.issuperset(kinds[last + 1 :]):
        return None
    shape = layers[logits].get("build_config", {}).get("input_shape", ())
    is_chained = content["class_name"] == SEQUENTIAL or _leads_to(layers[last : logits + 1])
    return True if len(shape) == 2 and is_chained else None


def _leads_to(layers: list[dict[str, Any]]) -> bool:
    """Return whether the last of these layers, in the order of their calls, depends on each of the others."""
    needed = {layers[-1]["name"]}
    for layer in reversed(layers):
        if layer["name"] not in needed:
            return False
        needed.update(_sources(layer["inbound_nodes"]))
    return True


def _sources(call: Any) -> Iterator[str]:
    """Yield the names of the layers whose outputs a call is given."""
    if isinstance(call, dict):
        if "keras_history" in call:
            yield call["keras_history"][0]
        call = list(call.values())
    if isinstance(call, list):
        for part in call:
            yield from _sources(part)
