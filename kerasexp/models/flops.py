"""How many floating-point operations a model takes for one image, counted from the shapes of its layers.

Counted is one forward pass as in prediction. A multiplication and the addition of its product are two operations, and so
papers' figures of multiply-adds (which some of them call FLOPs) are half as large. By layer:

    convolutions, dense layers     2 for each product of a weight, 1 for each bias, 1 for each number that is activated
    activations                    1 for each number, whatever the function
    normalisation, rescaling       2 for each number; 6 where mean and variance are those of the image itself
    pooling                        1 for each number of each window
    sums and their kin             1 for each number of each input but the first
    all others                     none: they move numbers, or do nothing in prediction
"""

from __future__ import annotations

import math
from collections.abc import Callable

import keras
from keras import layers

from kerasexp.models.label_mapping import LabelMapping
from kerasexp.models.nearest_neighbours import NearestNeighbours


def flops(model: keras.Model) -> int:
    """Return the floating-point operations of one forward pass for one image; see this module.

    Raises:
        TypeError: it has a layer of a class that is not known here.
    """
    return 2 * multiply_adds(model) + sum(_others(layer) for layer in _flat(model))


def multiply_adds(model: keras.Model) -> int:
    """Return how often one forward pass for one image multiplies by a weight of a convolution or a dense layer."""
    return sum(PRODUCTS[type(layer)](layer) for layer in _flat(model) if type(layer) in PRODUCTS)


def _flat(model: keras.Model) -> list[keras.Layer]:
    """Return a model's layers, and in place of a model that is used as a layer its own."""
    nested = ([layer] if not isinstance(layer, keras.Model) else _flat(layer) for layer in model.layers)
    return [layer for part in nested for layer in part]


def _others(layer: keras.Layer) -> int:
    """Return a layer's operations beside the products of `multiply_adds`."""
    count = OPERATIONS.get(type(layer))
    if count is None and type(layer) not in PRODUCTS:
        raise TypeError(f"the operations of {type(layer).__name__} are not known; kerasexp.models.flops needs them")
    activated = getattr(layer, "activation", keras.activations.linear) is not keras.activations.linear
    biased = type(layer) in PRODUCTS and layer.use_bias
    return (count(layer) if count else 0) + (activated + biased) * _numbers(layer.output)


def _numbers(tensors: keras.KerasTensor | list[keras.KerasTensor]) -> int:
    """Return how many numbers tensors hold for one image."""
    tensors = tensors if isinstance(tensors, list) else [tensors]
    return sum(math.prod(tensor.shape[1:]) for tensor in tensors)


def _separable(layer: layers.SeparableConv2D) -> int:
    *places, filters = layer.output.shape[1:]
    maps = layer.pointwise_kernel.shape[-2]
    return math.prod(places) * maps * (math.prod(layer.depthwise_kernel.shape[:2]) + filters)


def _per_number(operations: int) -> Callable[[keras.Layer], int]:
    return lambda layer: operations * _numbers(layer.output)


def _pooled(layer: keras.Layer) -> int:
    return math.prod(layer.pool_size) * _numbers(layer.output)


def _merged(layer: keras.Layer) -> int:
    return _numbers(layer.input) - _numbers(layer.output)


# Kernels: [height, width, maps in, maps out], a depthwise one's last being outputs per map; a transposed one's the other
# way round, and each number that comes in meets all of it.
PRODUCTS: dict[type, Callable[[keras.Layer], int]] = {
    layers.Dense: lambda layer: _numbers(layer.output) * layer.kernel.shape[0],
    layers.Conv2D: lambda layer: _numbers(layer.output) * math.prod(layer.kernel.shape[:3]),
    layers.DepthwiseConv2D: lambda layer: _numbers(layer.output) * math.prod(layer.kernel.shape[:2]),
    layers.SeparableConv2D: _separable,
    layers.Conv2DTranspose: lambda layer: _numbers(layer.input) * math.prod(layer.kernel.shape[:3]),
}
# Those of ours: each output is looked at for each class, and each example is compared with an image, number by number.
OWN: dict[type, Callable[[keras.Layer], int]] = {
    LabelMapping: lambda layer: _numbers(layer.input) * len(layer.groups),
    NearestNeighbours: lambda layer: 2 * math.prod(layer.points.shape),
}
OPERATIONS: dict[type, Callable[[keras.Layer], int]] = {
    **OWN,
    layers.Activation: _per_number(0),  # beside the one that each activated number takes in any layer
    **dict.fromkeys((layers.ReLU, layers.LeakyReLU, layers.PReLU, layers.ELU, layers.Softmax), _per_number(1)),
    **dict.fromkeys((layers.BatchNormalization, layers.Normalization, layers.Rescaling), _per_number(2)),
    **dict.fromkeys((layers.LayerNormalization, layers.GroupNormalization), _per_number(6)),
    **dict.fromkeys((layers.MaxPooling2D, layers.AveragePooling2D), _pooled),
    **dict.fromkeys(
        (layers.GlobalMaxPooling2D, layers.GlobalAveragePooling2D), lambda layer: _numbers(layer.input)
    ),
    **dict.fromkeys(
        (layers.Add, layers.Subtract, layers.Multiply, layers.Average, layers.Maximum, layers.Minimum), _merged
    ),
    **dict.fromkeys(
        (
            layers.InputLayer, layers.Concatenate, layers.Cropping2D, layers.Dropout, layers.Flatten,
            layers.GaussianDropout, layers.GaussianNoise, layers.Identity, layers.Permute, layers.RepeatVector,
            layers.Reshape, layers.SpatialDropout2D, layers.UpSampling2D, layers.ZeroPadding2D,
        ),
        _per_number(0),
    ),
}  # fmt: skip
