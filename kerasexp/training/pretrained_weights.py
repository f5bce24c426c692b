"""Pretrained weights: those of keras.applications, of KerasHub, or of a user's file."""

from __future__ import annotations

import warnings
from itertools import count, takewhile
from pathlib import Path

import h5py
import keras
import numpy as np

from kerasexp.config.head_section import IMAGENET_OUTPUTS
from kerasexp.config.model_section import IMAGENET, Application, Backbone, Model, ResNet18
from kerasexp.config.section_validation import quoted
from kerasexp.config.shipped_files import find_weights
from kerasexp.config.yaml_paths import places
from kerasexp.console import Console
from kerasexp.errors import Problem, UserError, listing
from kerasexp.models.applications import set_imagenet_statistics
from kerasexp.saving.model_file import load_model
from kerasexp.saving.model_file_refusal import Refused, refusing
from kerasexp.saving.weights_file import count_weights
from kerasexp.storage import digest_of_file
from kerasexp.training.hub_weights import load_resnet18
from kerasexp.training.imagenet_files import KEY, imagenet_file
from kerasexp.training.initial_weights import copy_layers

# The most layers with weights that a network has above its pooling.
MOST_TOP_LAYERS = 3


def load_pretrained(classifier: keras.Model, model: Model, console: Console) -> dict[str, str] | None:
    """Load the weights that `model` names into a classifier's layers below pooling and head.

    With `head.zero_shot` they are loaded into the whole network, with its ImageNet classes. Else those of a file's top are
    left out.

    Returns:
        Their origin, for the manifest; None if `model` names none.

    Raises:
        UserError: the file is not available, is damaged, or holds the weights of another network.
    """
    if not isinstance(model, Backbone) or model.weights is None:
        return None
    with_top = model.head.zero_shot is not None
    maps = classifier.get_layer("logits").input if with_top else classifier.get_layer(model.pooling).input
    backbone = keras.Model(classifier.input, maps)
    if model.weights != IMAGENET:
        path, note = user_file(model.weights), None
    elif isinstance(model, ResNet18):
        return {"hub": load_resnet18(backbone)}
    else:
        path, note = imagenet_file(model, *(model.resize or classifier.input.shape[1:3]), with_top)
    if note is not None:
        console.line(note)
    _load(path, backbone, model, with_top)
    return {"file": str(path), "sha256": digest_of_file(path), **({"note": note} if note else {})}


def _load(path: Path, backbone: keras.Model, model: Backbone, with_top: bool) -> None:
    try:
        if path.suffix.lower() == ".keras":
            source = load_model(path)
            _refuse_topless(source.count_params(), backbone, model, with_top)
            _copy(source, backbone, model, path)
        else:
            _load_from_hdf5(path, backbone, model, with_top)
    except Refused as refused:
        raise UserError(Problem(str(refused), str(path), KEY)) from None
    if isinstance(model, Application):
        set_imagenet_statistics(backbone)


def _load_from_hdf5(path: Path, backbone: keras.Model, model: Backbone, with_top: bool) -> None:
    """Load a file of weights, in Keras's format or in that of keras.applications; raises Refused."""
    _refuse_topless(count_weights(path), backbone, model, with_top)
    if path.name.lower().endswith(".weights.h5"):
        with refusing(f"its weights do not fit {model.name}"), warnings.catch_warnings():
            # Keras raises at the first layer that is missing, and then warns of the other paths to the same layers.
            warnings.simplefilter("ignore")
            backbone.load_weights(path)
    else:
        _load_by_order(path, backbone)


def _copy(source: keras.Model, backbone: keras.Model, model: Backbone, path: Path) -> None:
    """Copy weights by the names of layers; those of keras.applications, where not all have names, by their order."""
    layers = [layer for layer in backbone.layers if layer.weights]
    if not isinstance(model, Application):
        copy_layers(backbone, source, [layer.name for layer in layers], f"the model in {path}", KEY)
        return
    stored = [(layer.name, layer.get_weights()) for layer in source.layers if layer.weights]
    _assign_in_order(stored, layers)


def _refuse_topless(held: int, backbone: keras.Model, model: Backbone, with_top: bool) -> None:
    """Raise Refused where the ImageNet classes are needed and a file holds too few numbers for them."""
    if with_top and held < backbone.count_params():
        raise Refused(
            f"holds {held:,} weights, and {model.name} with its top has {backbone.count_params():,}; head.zero_shot reads the "
            "ImageNet classes, so it needs a file with the top"
        )


def user_file(name: str) -> Path:
    """Return the path of a user's file of weights; raises UserError if it does not exist."""
    found = find_weights(name)
    if found is None:
        raise UserError(Problem(f"no such file: {quoted(name)}; looked for {listing(places(name))}", key=KEY))
    if not found.is_file():
        raise UserError(Problem("is not a file", str(found), KEY))
    return found


def _load_by_order(path: Path, backbone: keras.Model) -> None:
    """Load weights in the format of keras.applications; raises Refused if they are those of another network.

    The layers of a top come last in a file, and are left out of a network without one.
    """
    layers = [layer for layer in backbone.layers if layer.weights]
    with refusing("is not a file of weights of keras.applications"), h5py.File(path, "r") as file:
        group = file["model_weights"] if "layer_names" not in file.attrs and "model_weights" in file else file
        names = [name for name in _names(group, "layer_names") if _names(group[name], "weight_names")]
        if (top := names[len(layers) :]) and not _is_top([group[name] for name in top]):
            raise Refused(f"has {len(names)} layers with weights, and the network has {len(layers)} below its top")
        # Datasets, which are read when they are assigned: a file may name one of them many times.
        stored = [
            (name, [group[name][weight] for weight in _names(group[name], "weight_names")])
            for name in names[: len(layers)]
        ]
        _assign_in_order(stored, layers)


def _assign_in_order(
    stored: list[tuple[str, list[np.ndarray | h5py.Dataset]]], layers: list[keras.layers.Layer]
) -> None:
    """Assign the weights of the n-th stored layer to the n-th layer; raises Refused if the shapes differ."""
    if len(stored) < len(layers):
        raise Refused(f"has {len(stored)} layers with weights, and the network has {len(layers)} below its top")
    for (name, values), layer in zip(stored, layers, strict=False):
        shapes = [[tuple(weight.shape) for weight in weights] for weights in (layer.weights, values)]
        if shapes[0] != shapes[1]:
            there = f"its layer {name!r:.100} has weights of shape {shapes[1]}"
            raise Refused(f"{there}, and {layer.name!r} has {shapes[0]}")
    for (_, values), layer in zip(stored, layers, strict=False):
        for weight, value in zip(layer.weights, values, strict=True):
            weight.assign(np.asarray(value))


def _is_top(layers: list[h5py.Group]) -> bool:
    """Return whether layers are those above a network's pooling, the last of which gives the ImageNet classes."""
    last = [layers[-1][weight].shape for weight in _names(layers[-1], "weight_names")]
    return len(layers) <= MOST_TOP_LAYERS and all(shape[-1:] == (IMAGENET_OUTPUTS,) for shape in last)


def _names(group: h5py.Group, key: str) -> list[str]:
    """Return a list of names from a group's attributes; long lists are split over numbered attributes."""
    numbered = takewhile(group.attrs.__contains__, (f"{key}{number}" for number in count()))
    parts = [key] if key in group.attrs else numbered
    return [name.decode() if isinstance(name, bytes) else str(name) for part in parts for name in group.attrs[part]]
