"""Initial weights from an upstream checkpoint, layer by layer; and frozen layers."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase

import keras

from kerasexp.config.experiment import Init
from kerasexp.errors import Problem, UserError, closest, listing
from kerasexp.training.fine_tuning import in_head


def start_from(model: keras.Model, upstream: keras.Model, init: Init) -> list[str]:
    """Copy weights from `upstream` and freeze what `init` asks for; return the names of the copied layers.

    Raises:
        UserError: a layer is not in both models, or its weights have different shapes.
    """
    wanted = _wanted_layers(model, init)
    copy_layers(model, upstream, wanted, "the upstream model", "init.layers")
    freeze(model, init.freeze)
    return wanted


def copy_layers(model: keras.Model, source: keras.Model, names: Iterable[str], called: str, key: str) -> None:
    """Copy the weights of the layers `names` from `source`, which error messages call `called`.

    Raises:
        UserError: under `key`; a layer is not in `source`, or its weights have a different shape.
    """
    source_layers = {layer.name: layer for layer in source.layers}
    for name in names:
        layer = model.get_layer(name)
        if name not in source_layers:
            message = f"{called} has no layer '{name}'{closest(name, source_layers)}; it has {listing(source_layers)}"
            raise UserError(Problem(message, key=key))
        shapes = [[tuple(weight.shape) for weight in owner.weights] for owner in (layer, source_layers[name])]
        if shapes[0] != shapes[1]:
            message = f"layer '{name}' has weights of shape {shapes[0]} here and {shapes[1]} in {called}"
            raise UserError(Problem(message, key=key))
        layer.set_weights(source_layers[name].get_weights())


def _wanted_layers(model: keras.Model, init: Init) -> list[str]:
    with_weights = [layer.name for layer in model.layers if layer.weights]
    if isinstance(init.layers, list):
        unknown = [name for name in init.layers if name not in with_weights]
        if unknown:
            near = closest(unknown[0], with_weights)
            message = f"no layer with weights is called '{unknown[0]}'{near}; allowed: {listing(with_weights, 40)}"
            raise UserError(Problem(message, key="init.layers"))
        return init.layers
    if init.layers == "none":
        return []
    if init.layers == "all":
        return with_weights
    if init.layers == "all_but_classes":
        return [name for name in with_weights if name != "logits"]
    return [name for name in with_weights if not in_head(model.get_layer(name))]


def freeze(model: keras.Model, patterns: list[str]) -> None:
    """Freeze the layers whose names match a pattern.

    Raises:
        UserError: a pattern matches no layer.
    """
    names = [layer.name for layer in model.layers]
    for pattern in patterns:
        matched = [layer for layer in model.layers if fnmatchcase(layer.name, pattern)]
        if not matched:
            message = f"'{pattern}' matches no layer{closest(pattern, names)}; the layers are {listing(names, 40)}"
            raise UserError(Problem(message, key="init.freeze"))
        for layer in matched:
            layer.trainable = False
