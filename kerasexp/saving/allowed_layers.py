"""What a layer in a model file may be and say. All else is refused: what a list leaves out cannot do harm.

Each layer here computes on tensors and does nothing else: none runs code of the file's own, reads other files or programs,
or keeps tables. The values are numbers, words and lists of them; where an object is wanted, its class is one of those named.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import math
from collections.abc import Container
from typing import Any

from kerasexp.saving.refusal import Refused

LAYERS = {
    "Activation", "Add", "Average", "AveragePooling2D", "BatchNormalization", "Concatenate", "Conv2D",
    "Conv2DTranspose", "Cropping2D", "Dense", "DepthwiseConv2D", "Dropout", "ELU", "Flatten", "GaussianDropout",
    "GaussianNoise", "GlobalAveragePooling2D", "GlobalMaxPooling2D", "GroupNormalization", "Identity",
    "LayerNormalization", "LeakyReLU", "MaxPooling2D", "Maximum", "Minimum", "Multiply", "Normalization", "PReLU",
    "Permute", "ReLU", "RepeatVector", "Rescaling", "Reshape", "SeparableConv2D", "Softmax", "SpatialDropout2D",
    "Subtract", "UpSampling2D", "ZeroPadding2D",
}  # fmt: skip
# The layers that are not Keras's: where each is from, and what it is registered as.
OWN = {
    "LabelMapping": ("kerasexp.models.label_mapping", "kerasexp>LabelMapping"),
    "NearestNeighbours": ("kerasexp.models.nearest_neighbours", "kerasexp>NearestNeighbours"),
}
ACTIVATIONS = {
    "celu", "elu", "exponential", "gelu", "hard_shrink", "hard_sigmoid", "hard_silu", "hard_swish", "hard_tanh",
    "leaky_relu", "linear", "log_sigmoid", "log_softmax", "mish", "relu", "relu6", "selu", "sigmoid", "silu",
    "soft_shrink", "softmax", "softplus", "softsign", "sparse_plus", "sparse_sigmoid", "sparsemax", "squareplus",
    "swish", "tanh", "tanh_shrink",
}  # fmt: skip
# Orthogonal is left out: it factorises the kernel, which takes 7 s for 4096x4096 and eight times that for each doubling.
INITIALIZERS = {
    "Constant", "GlorotNormal", "GlorotUniform", "HeNormal", "HeUniform", "LecunNormal", "LecunUniform", "Ones",
    "RandomNormal", "RandomUniform", "TruncatedNormal", "VarianceScaling", "Zeros",
}  # fmt: skip
# What an argument whose name ends like this is made by.
OBJECTS = {
    "_initializer": ("keras.initializers", INITIALIZERS),
    "_regularizer": ("keras.regularizers", {"L1", "L2", "L1L2"}),
    "_constraint": ("keras.constraints", {"MaxNorm", "MinMaxNorm", "NonNeg", "UnitNorm"}),
}
# Arguments that are words. channels_first is left out: images come with their channels last.
WORDS = {
    "padding": {"same", "valid"},
    "data_format": {"channels_last"},
    "interpolation": {"area", "bicubic", "bilinear", "lanczos3", "lanczos5", "nearest"},
    "combine": {"max", "sum"},
    "mode": {"fan_in", "fan_out", "fan_avg"},
    "distribution": {"truncated_normal", "untruncated_normal", "uniform"},
}
POLICIES = {"float16", "bfloat16", "float32", "float64", "mixed_float16", "mixed_bfloat16"}
INPUT_TYPES = POLICIES | {"uint8", "int8", "uint16", "int16", "int32", "int64"}
# What every layer takes beside its own arguments, and those arguments of layers that add or replace weights.
COMMON = {"name", "trainable", "dtype", "activity_regularizer"}
ADAPTERS = {"lora_rank", "lora_alpha", "quantization_config"}
# No side, width or count of an honest layer is larger, and products of several stay far from overflow.
LARGEST_NUMBER = 2**31
LONGEST_LIST, DEEPEST_LIST = 4096, 4


def checked_config(kind: str, config: Any, where: str) -> dict[str, Any]:
    """Return what a layer of this class is made from, with nothing in it that was not looked at.

    Raises:
        Refused: there is an argument that the class does not have, or an object or value that is not taken.
    """
    own, result = _arguments(kind), {}
    for key, value in mapping(config, where).items():
        if key in own:
            result[key] = _value(key, value, f"{where}: {key}")
        elif value is not None and value is not False:  # what is switched off, Keras writes down all the same
            raise Refused(f"{where}: {kind} takes no {key!r:.80}")
    return result


def checked_input(config: Any, where: str) -> dict[str, Any]:
    """Return shape, type and name of a model's input; as `checked_config`."""
    config = mapping(config, where)
    shape = config.get("batch_shape")
    sides = shape[1:] if isinstance(shape, list) else []
    if not sides or shape[0] is not None or not all(type(side) is int and 0 < side < LARGEST_NUMBER for side in sides):
        raise Refused(f"{where}: batch_shape is {shape!r:.100}, and must be null followed by whole numbers")
    dtype = _policy(config.get("dtype"), INPUT_TYPES, f"{where}: dtype")
    return {"batch_shape": tuple(shape), "dtype": dtype, "name": config.get("name")}


@functools.cache
def _arguments(kind: str) -> set[str]:
    own = inspect.signature(getattr(importlib.import_module(origin(kind)[0]), kind)).parameters.keys()
    return own - {"kwargs"} - ADAPTERS | COMMON


def origin(kind: str) -> tuple[str, str | None]:
    """Return the module that a class of layers is from, and what it is registered as."""
    return OWN.get(kind, ("keras.layers", None))


def _value(key: str, value: Any, where: str) -> Any:
    if key == "dtype":
        return _policy(value, POLICIES, where)
    if key == "activation":
        return value if value is None else word(value, ACTIVATIONS, where)
    for ending, (module, classes) in OBJECTS.items():
        if key.endswith(ending) and value is not None:
            return _object(value, module, classes, where)
    return _plain(key, value, where)


def _object(value: Any, module: str, classes: Container[str], where: str) -> dict[str, Any]:
    value = mapping(value, where)
    builtin(value, module, where)
    word(value.get("class_name"), classes, where)
    config = {key: _plain(key, item, f"{where}: {key}") for key, item in mapping(value.get("config"), where).items()}
    return {"module": module, "class_name": value["class_name"], "config": config, "registered_name": None}


def _policy(value: Any, allowed: Container[str], where: str) -> str | None:
    if isinstance(value, dict):
        builtin(value, "keras", where)
        word(value.get("class_name"), ("DTypePolicy",), where)
        value = mapping(value.get("config"), where).get("name")
    return value if value is None else word(value, allowed, where)


def builtin(value: dict[str, Any], module: str, where: str, registered_name: str | None = None) -> None:
    """Raise Refused for an object that is not Keras's own, from this module of it."""
    if value.get("module") != module or value.get("registered_name") not in (None, registered_name):
        given = f"{value.get('module')!r:.80}, registered as {value.get('registered_name')!r:.80}"
        raise Refused(
            f"{where}: {value.get('class_name')!r:.80} is from {given}; only Keras's own of {module} are taken"
        )


def word(value: Any, allowed: Container[str], where: str) -> str:
    """Return a word that is one of these; raise Refused for another."""
    if not isinstance(value, str) or value not in allowed:
        raise Refused(f"{where}: {value!r:.100} is not taken")
    return value


def mapping(value: Any, where: str) -> dict[str, Any]:
    """Return a JSON object; raise Refused for anything else."""
    if not isinstance(value, dict):
        raise Refused(f"{where}: {value!r:.100} stands where an object should")
    return value


def _plain(key: str, value: Any, where: str, depth: int = 0) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return value if key == "name" else word(value, WORDS.get(key, ()), where)
    if isinstance(value, int | float) and math.isfinite(value) and abs(value) < LARGEST_NUMBER:
        return value
    if isinstance(value, list) and len(value) <= LONGEST_LIST and depth < DEEPEST_LIST:
        return [_plain(key, item, where, depth + 1) for item in value]
    raise Refused(f"{where}: {value!r:.100} is no number or list of numbers of a size that layers have")
