"""The floating-point operations of a model for one image, counted from the shapes of its layers.

One forward pass is counted, as in prediction. A multiplication and the addition of its product are two operations; counts of
multiply-adds, which some papers call FLOPs, are therefore half as large. By layer:

    convolution, dense layer       2 for each product with a weight, 1 for each bias, 1 for each activated number
    activation                     1 for each number, whatever the function
    normalisation, rescaling       2 for each number; 6 if mean and variance are computed from the image itself, 3 if a length is
    pooling                        1 for each number of each window
    sum and other merging          1 for each number of each input but the first
    all others                     none: they move numbers, resize images, or do nothing in prediction
"""

from __future__ import annotations

import math
from collections.abc import Callable

import keras
from keras import layers
from keras.src.ops.numpy import Add, Multiply

from kerasexp.models.own_layers import OWN_LAYERS


def flops(model: keras.Model) -> int | None:
    """Return the floating-point operations of one forward pass for one image; None if a layer's class is not known here."""
    layers_of_model = _flat(model)
    if any(type(layer) not in PRODUCTS.keys() | OPERATIONS.keys() for layer in layers_of_model):
        return None
    return 2 * multiply_adds(model) + sum(map(_other_operations, layers_of_model))


def multiply_adds(model: keras.Model) -> int:
    """Return how often one forward pass for one image multiplies by a weight of a convolution or a dense layer."""
    return sum(PRODUCTS[type(layer)](layer) for layer in _flat(model) if type(layer) in PRODUCTS)


def _flat(model: keras.Model) -> list[keras.Operation]:
    """Return the layer or other operation of each call in a model; a model that is used as a layer is replaced by its own."""
    by_depth = getattr(model, "_nodes_by_depth", None)  # a sequential model has layers alone, each called once
    called = model.layers if by_depth is None else [node.operation for nodes in by_depth.values() for node in nodes]
    nested = ([layer] if not isinstance(layer, keras.Model) else _flat(layer) for layer in called)
    return [layer for part in nested for layer in part]


def _other_operations(layer: keras.Layer) -> int:
    """Return a layer's operations other than the products of `multiply_adds`."""
    count = OPERATIONS.get(type(layer))
    activated = getattr(layer, "activation", keras.activations.linear) is not keras.activations.linear
    biased = type(layer) in PRODUCTS and layer.use_bias
    return (count(layer) if count else 0) + (activated + biased) * _numbers(layer.output)


def _numbers(tensors: keras.KerasTensor | list[keras.KerasTensor]) -> int:
    """Return how many numbers the tensors hold for one image."""
    tensors = tensors if isinstance(tensors, list) else [tensors]
    return sum(math.prod(tensor.shape[1:]) for tensor in tensors)


def _separable(layer: layers.SeparableConv2D) -> int:
    *positions, filters = layer.output.shape[1:]
    maps = layer.pointwise_kernel.shape[-2]
    return math.prod(positions) * maps * (math.prod(layer.depthwise_kernel.shape[:2]) + filters)


def _per_number(operations: int) -> Callable[[keras.Layer], int]:
    return lambda layer: operations * _numbers(layer.output)


def _pooled(layer: keras.Layer) -> int:
    return math.prod(layer.pool_size) * _numbers(layer.output)


def _merged(layer: keras.Layer) -> int:
    return _numbers(layer.input) - _numbers(layer.output)


# Multiply-adds. Kernels are [height, width, maps in, maps out]; the last axis of a depthwise kernel is the outputs per map.
# The last two axes of a transposed kernel are swapped, and each input number is multiplied by all of it.
PRODUCTS: dict[type, Callable[[keras.Layer], int]] = {
    layers.Dense: lambda layer: _numbers(layer.output) * layer.kernel.shape[0],
    layers.Conv2D: lambda layer: _numbers(layer.output) * math.prod(layer.kernel.shape[:3]),
    layers.DepthwiseConv2D: lambda layer: _numbers(layer.output) * math.prod(layer.kernel.shape[:2]),
    layers.SeparableConv2D: _separable,
    layers.Conv2DTranspose: lambda layer: _numbers(layer.input) * math.prod(layer.kernel.shape[:3]),
}
# All other operations, without activations and biases.
OPERATIONS: dict[type, Callable[[keras.Layer], int]] = {
    **{own.layer: own.flops for own in OWN_LAYERS.values()},
    layers.Activation: _per_number(0),
    **dict.fromkeys((Add, Multiply), _per_number(1)),  # `x + y` and `x * y`
    **dict.fromkeys((layers.ReLU, layers.LeakyReLU, layers.PReLU, layers.ELU, layers.Softmax), _per_number(1)),
    **dict.fromkeys((layers.BatchNormalization, layers.Normalization, layers.Rescaling), _per_number(2)),
    **dict.fromkeys((layers.LayerNormalization, layers.GroupNormalization), _per_number(6)),
    layers.UnitNormalization: _per_number(3),
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
            layers.Reshape, layers.Resizing, layers.SpatialDropout2D, layers.UpSampling2D, layers.ZeroPadding2D,
        ),
        _per_number(0),
    ),
}  # fmt: skip
