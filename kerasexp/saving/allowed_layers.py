"""The layer classes and arguments that a model file may contain. Everything else is refused.

Each class computes on tensors and does nothing else: it runs no code from the file, reads no other files or programs, and
keeps no tables. Arguments are numbers, words and lists of them, or objects of the classes listed here. A layer that is not in
keras.layers is allowed by its line in `kerasexp.models.own_layers`; `Preprocess` of `kerasexp.data` is allowed too.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import math
from collections.abc import Container, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from kerasexp.saving.model_file_refusal import Refused

if TYPE_CHECKING:
    import keras

INPUT, PREPROCESS = "InputLayer", "Preprocess"
# Of Keras.
LAYERS = {
    "Activation", "Add", "Average", "AveragePooling2D", "BatchNormalization", "Concatenate", "Conv2D",
    "Conv2DTranspose", "Cropping2D", "Dense", "DepthwiseConv2D", "Dropout", "ELU", "Flatten", "GaussianDropout",
    "GaussianNoise", "GlobalAveragePooling2D", "GlobalMaxPooling2D", "GroupNormalization", "Identity",
    "LayerNormalization", "LeakyReLU", "MaxPooling2D", "Maximum", "Minimum", "Multiply", "Normalization", "PReLU",
    "Permute", "ReLU", "RepeatVector", "Rescaling", "Reshape", "Resizing", "SeparableConv2D", "Softmax", "SpatialDropout2D",
    "Subtract", "UnitNormalization", "UpSampling2D", "ZeroPadding2D",
}  # fmt: skip
ACTIVATIONS = {
    "celu", "elu", "exponential", "gelu", "hard_shrink", "hard_sigmoid", "hard_silu", "hard_swish", "hard_tanh",
    "leaky_relu", "linear", "log_sigmoid", "log_softmax", "mish", "relu", "relu6", "selu", "sigmoid", "silu",
    "soft_shrink", "softmax", "softplus", "softsign", "sparse_plus", "sparse_sigmoid", "sparsemax", "squareplus",
    "swish", "tanh", "tanh_shrink",
}  # fmt: skip
# Without Orthogonal: it factorises the kernel, which takes 7 s for 4096x4096, and eight times as long for twice the side.
INITIALIZERS = {
    "Constant", "GlorotNormal", "GlorotUniform", "HeNormal", "HeUniform", "LecunNormal", "LecunUniform", "Ones",
    "RandomNormal", "RandomUniform", "TruncatedNormal", "VarianceScaling", "Zeros",
}  # fmt: skip
# Suffix of an argument's name -> module and classes of the object that it takes.
OBJECTS = {
    "_initializer": ("keras.initializers", INITIALIZERS),
    "_regularizer": ("keras.regularizers", {"L1", "L2", "L1L2"}),
    "_constraint": ("keras.constraints", {"MaxNorm", "MinMaxNorm", "NonNeg", "UnitNorm"}),
}
# Arguments that take words. Without channels_first: the channels of images come last.
WORDS = {
    "padding": {"same", "valid"},
    "data_format": {"channels_last"},
    "interpolation": {"area", "bicubic", "bilinear", "lanczos3", "lanczos5", "nearest"},
    "fill_mode": {"constant"},
    "mode": {"fan_in", "fan_out", "fan_avg"},
    "distribution": {"truncated_normal", "untruncated_normal", "uniform"},
}
POLICIES = {"float16", "bfloat16", "float32", "float64", "mixed_float16", "mixed_bfloat16"}
INPUT_TYPES = POLICIES | {"uint8", "int8", "uint16", "int16", "int32", "int64"}
# Arguments of every layer; and arguments that add or replace weights, which are refused.
COMMON = {"name", "trainable", "dtype", "activity_regularizer"}
ADAPTERS = {"lora_rank", "lora_alpha", "quantization_config"}
# Larger than any size or count of a real layer; products of several stay far from overflow.
LARGEST_NUMBER = 2**31
LONGEST_LIST, DEEPEST_LIST = 4096, 4


def checked_layer(entry: dict[str, Any], where: str) -> dict[str, Any]:
    """Return the arguments of a layer, an object of a model's config; each of them has been checked.

    Raises:
        Refused: its class is not allowed; or it has an argument that the class does not have, or an object or value that
            is not allowed.
    """
    kind = entry.get("class_name")
    module, registered_name = origin(kind) if isinstance(kind, str) else origin("")
    check_module(entry, module, where, registered_name)
    if kind == INPUT:
        return _input(entry["config"], where)
    if not isinstance(kind, str) or (kind not in LAYERS and own_layer(kind) is None):
        raise Refused(f"{where}: a layer of class {kind!r:.80} is not accepted; ordinary layers without code are")
    return _config(kind, entry["config"], where)


def _config(kind: str, config: Any, where: str) -> dict[str, Any]:
    arguments, own, result = _arguments(kind), own_layer(kind), {}
    words = WORDS if own is None else WORDS | own.words
    for key, value in checked_object(config, where).items():
        if key in arguments:
            result[key] = _value(key, value, words.get(key, ()), f"{where}: {key}")
        elif value is not None and value is not False:  # Keras also writes arguments that are switched off
            raise Refused(f"{where}: {kind} takes no {key!r:.80}")
    return result


def _input(config: Any, where: str) -> dict[str, Any]:
    """Return shape, dtype and name of a model's input."""
    config = checked_object(config, where)
    shape = config.get("batch_shape")
    sides = shape[1:] if isinstance(shape, list) else []
    # Images of any size: `Preprocess` takes them.
    known = sides[2:] if len(sides) == 3 and sides[:2] == [None, None] else sides
    if not known or shape[0] is not None or not all(type(side) is int and 0 < side < LARGEST_NUMBER for side in known):
        raise Refused(f"{where}: batch_shape is {shape!r:.100}, and must be null followed by whole numbers")
    dtype = _policy(config.get("dtype"), INPUT_TYPES, f"{where}: dtype")
    return {"batch_shape": tuple(shape), "dtype": dtype, "name": config.get("name")}


@functools.cache
def _arguments(kind: str) -> set[str]:
    own = inspect.signature(getattr(importlib.import_module(origin(kind)[0]), kind)).parameters.keys()
    return own - {"kwargs"} - ADAPTERS | COMMON


class AllowedLayer(NamedTuple):
    """A layer class that is not in keras.layers; the words that its arguments accept; whether its outputs are logits."""

    layer: type[keras.layers.Layer]
    words: Mapping[str, set[str]]
    gives_logits: bool = False


def own_layer(kind: str) -> AllowedLayer | None:
    """Return the entry of a layer class that is not in keras.layers; None if `kind` is no such class."""
    # With Keras, which the sidecars of a checkpoint do not need.
    if kind == PREPROCESS:
        from kerasexp.data.preprocess_layer import Preprocess

        return AllowedLayer(Preprocess, Preprocess.WORDS)
    from kerasexp.models.own_layers import OWN_LAYERS

    own = OWN_LAYERS.get(kind)
    return None if own is None else AllowedLayer(own.layer, own.words, own.gives_logits)


def origin(kind: str) -> tuple[str, str | None]:
    """Return the module of a layer class, and the name under which it is registered with Keras; None for Keras's own."""
    if (own := own_layer(kind)) is None:
        return "keras.layers", None
    from keras.saving import get_registered_name

    return own.layer.__module__, get_registered_name(own.layer)


def _value(key: str, value: Any, words: Container[str], where: str) -> Any:
    if key == "dtype":
        return _policy(value, POLICIES, where)
    if key == "activation":
        return value if value is None else checked_word(value, ACTIVATIONS, where)
    for ending, (module, classes) in OBJECTS.items():
        if key.endswith(ending) and value is not None:
            return _object(value, module, classes, where)
    return _plain(key, value, words, where)


def _object(value: Any, module: str, classes: Container[str], where: str) -> dict[str, Any]:
    value = checked_object(value, where)
    check_module(value, module, where)
    checked_word(value.get("class_name"), classes, where)
    arguments = checked_object(value.get("config"), where).items()
    config = {key: _plain(key, item, WORDS.get(key, ()), f"{where}: {key}") for key, item in arguments}
    return {"module": module, "class_name": value["class_name"], "config": config, "registered_name": None}


def _policy(value: Any, allowed: Container[str], where: str) -> str | None:
    if isinstance(value, dict):
        check_module(value, "keras", where)
        checked_word(value.get("class_name"), ("DTypePolicy",), where)
        value = checked_object(value.get("config"), where).get("name")
    return value if value is None else checked_word(value, allowed, where)


def check_module(value: dict[str, Any], module: str, where: str, registered_name: str | None = None) -> None:
    """Raise Refused unless an object is from this module, and registered under no other name than this."""
    if value.get("module") != module or value.get("registered_name") not in (None, registered_name):
        given = f"{value.get('module')!r:.80}, registered as {value.get('registered_name')!r:.80}"
        raise Refused(
            f"{where}: {value.get('class_name')!r:.80} is from {given}; only the one from {module} is accepted"
        )


def checked_word(value: Any, allowed: Container[str], where: str) -> str:
    """Return a word if it is allowed; else raise Refused."""
    if not isinstance(value, str) or value not in allowed:
        raise Refused(f"{where}: {value!r:.100} is not accepted")
    return value


def checked_object(value: Any, where: str) -> dict[str, Any]:
    """Return a JSON object; raise Refused for anything else."""
    if not isinstance(value, dict):
        raise Refused(f"{where}: got {value!r:.100}, and expected an object")
    return value


def _plain(key: str, value: Any, words: Container[str], where: str, depth: int = 0) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return value if key == "name" else checked_word(value, words, where)
    if isinstance(value, int | float) and math.isfinite(value) and abs(value) < LARGEST_NUMBER:
        return value
    if isinstance(value, list) and len(value) <= LONGEST_LIST and depth < DEEPEST_LIST:
        return [_plain(key, item, words, where, depth + 1) for item in value]
    raise Refused(f"{where}: {value!r:.100} is not a number or list of numbers of a size that layers have")
