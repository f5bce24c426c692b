"""Pretrained weights: those of keras.applications, of KerasHub, or of a user's file."""

from __future__ import annotations

import socket
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count, takewhile
from pathlib import Path

import h5py
import keras

from kerasexp.config.model_section import IMAGENET, Backbone, Model, ResNet18
from kerasexp.config.section_validation import quoted
from kerasexp.config.yaml_paths import find_file, places
from kerasexp.environment import keras_home
from kerasexp.errors import Problem, UserError, listing
from kerasexp.models.applications import NETWORKS, WeightFile
from kerasexp.saving.model_file import load_model
from kerasexp.saving.model_file_refusal import Refused, refusing
from kerasexp.saving.weights_file import count_weights
from kerasexp.storage import digest_of_file
from kerasexp.training.hub_weights import load_resnet18
from kerasexp.training.initial_weights import copy_layers

KEY = "model.weights"
TIMEOUT_SECONDS = 10


def load_pretrained(classifier: keras.Model, model: Model) -> dict[str, str] | None:
    """Load the weights that `model` names into a classifier's layers below pooling and head.

    With `head.zero_shot` they are loaded into the whole network, with its ImageNet classes.

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
    if isinstance(model, ResNet18) and model.weights == IMAGENET:
        return {"hub": load_resnet18(backbone)}
    path = _imagenet(model, classifier, with_top) if model.weights == IMAGENET else user_file(model.weights)
    _load(path, backbone, model, with_top)
    return {"file": str(path), "sha256": digest_of_file(path)}


def _load(path: Path, backbone: keras.Model, model: Backbone, with_top: bool) -> None:
    if path.suffix.lower() == ".keras":
        names = [layer.name for layer in backbone.layers if layer.weights]
        copy_layers(backbone, load_model(path), names, f"the model in {path}", KEY)
        return
    try:
        count_weights(path)
        if path.name.lower().endswith(".weights.h5"):
            with_or_without = "with" if with_top else "without"
            with refusing(f"its weights do not fit {model.name} {with_or_without} its top"), warnings.catch_warnings():
                # Keras raises at the first layer that is missing, and then warns of the other paths to the same layers.
                warnings.simplefilter("ignore")
                backbone.load_weights(path)
        else:
            _load_in_order(path, backbone, with_top)
    except Refused as refused:
        raise UserError(Problem(str(refused), str(path), KEY)) from None


def user_file(name: str) -> Path:
    """Return the path of a user's file of weights; raises UserError if it does not exist."""
    found = find_file(name)
    if found is None:
        raise UserError(Problem(f"no such file: {quoted(name)}; looked for {listing(places(name))}", key=KEY))
    if not found.is_file():
        raise UserError(Problem("is not a file", str(found), KEY))
    return found


def _imagenet(model: Backbone, classifier: keras.Model, with_top: bool) -> Path:
    height, width = classifier.input.shape[1:3]
    return _fetched(NETWORKS[model.name].weights(height, width, with_top))


def _load_in_order(path: Path, backbone: keras.Model, with_top: bool) -> None:
    """Load weights in the format of keras.applications: the n-th layer with weights in the file is the n-th of the network.

    Raises:
        Refused: they are the weights of another network.
    """
    layers = [layer for layer in backbone.layers if layer.weights]
    with refusing("is not a file of weights of keras.applications"), h5py.File(path, "r") as file:
        group = file["model_weights"] if "layer_names" not in file.attrs and "model_weights" in file else file
        stored = [(name, group[name]) for name in _names(group, "layer_names") if _names(group[name], "weight_names")]
        if len(stored) != len(layers):
            part, needed = (
                ("", "with the ImageNet classes") if with_top else (" below its pooling", "without the top (notop)")
            )
            found = f"has {len(stored)} layers with weights, and the network{part} has {len(layers)}"
            raise Refused(f"{found}; it needs a file {needed}")
        for layer, (name, part) in zip(layers, stored, strict=True):
            values = [part[weight][()] for weight in _names(part, "weight_names")]
            shapes = [[tuple(weight.shape) for weight in weights] for weights in (layer.weights, values)]
            if shapes[0] != shapes[1]:
                there = f"its layer {name!r:.100} has weights of shape {shapes[1]}"
                raise Refused(f"{there}, and {layer.name!r} has {shapes[0]}")
            for weight, value in zip(layer.weights, values, strict=True):
                weight.assign(value)


def _names(group: h5py.Group, key: str) -> list[str]:
    """Return a list of names from a group's attributes; long lists are split over numbered attributes."""
    numbered = takewhile(group.attrs.__contains__, (f"{key}{number}" for number in count()))
    parts = [key] if key in group.attrs else numbered
    return [name.decode() if isinstance(name, bytes) else str(name) for part in parts for name in group.attrs[part]]


def _fetched(file: WeightFile) -> Path:
    """Return the file in Keras's cache; Keras downloads it if it is missing or its checksum is wrong.

    Raises:
        UserError: it cannot be downloaded; the message says where to put it.
    """
    home = keras_home()
    try:
        with _short_timeout():
            where = {"cache_subdir": "models", "cache_dir": str(home)}
            return Path(keras.utils.get_file(file.name, file.url, file_hash=file.md5, **where))
    except Exception as error:  # Keras raises plain Exception if there is no connection
        advice = (
            f"Put the file {file.name}, from {file.url}, into {home / 'models'}; or write weights: null for random ones"
        )
        raise UserError(Problem(f"the ImageNet weights could not be downloaded: {error}. {advice}", key=KEY)) from None


@contextmanager
def _short_timeout() -> Iterator[None]:
    """Limit the wait for a silent server; Keras would wait for minutes."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(TIMEOUT_SECONDS)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
