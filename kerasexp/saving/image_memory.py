"""How many numbers a network computes for an image, and so how many images it takes at a time in bounded memory."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from kerasexp.saving.half_precision import flat_layers

if TYPE_CHECKING:
    import keras

# Most numbers of a layer's output for one image: 1 GiB in float32, 64 feature maps of 2048x2048, the largest image size of an
# experiment.
MAX_OUTPUT = 2**28
# Of all outputs together. EfficientNet-B7 has 1.1e9 for an image of its 600x600 pixels, and 1.2e10 for one of 2048x2048.
MAX_TOTAL = 2**34
# Of a layer's output for all images of a batch: 500 images of 64x64, the largest batch of an evaluation, with 512 feature maps.
MAX_BATCH = 2**30


def most_at_once(network: Any) -> int:
    """Return how many images a network may take at a time, so that no layer computes more than `MAX_BATCH` numbers.

    One that LiteRT runs has no layers, and bounds its batches itself.
    """
    layers = flat_layers(network) if hasattr(network, "layers") else ()
    return max(1, MAX_BATCH // max((_numbers(layer) for layer in layers), default=1))


def _numbers(layer: keras.layers.Layer) -> int:
    """Return how many numbers a layer computes for one image, of the sides that are known; at least 1."""
    import keras

    output = getattr(layer, "output", None)
    if output is None:  # of a layer within a user's own model
        return 1
    sizes = (math.prod(side or 1 for side in tensor.shape[1:]) for tensor in keras.tree.flatten(output))
    return max(1, numbers_inside(layer), sum(sizes))


def numbers_inside(layer: keras.layers.Layer) -> int:
    """Return how many numbers a layer computes for one image on the way to its output, where these may be more than that has.

    `Resizing` pads an image to the ratio of its target before it resizes. Depthwise convolutions with a dilation pad it by the
    kernel's reach, and have `depth_multiplier` maps for each of its own.
    """
    from keras import layers

    is_resizing = isinstance(layer, layers.Resizing)
    is_depthwise = isinstance(layer, layers.DepthwiseConv2D | layers.SeparableConv2D)
    if not (is_depthwise or (is_resizing and layer.pad_to_aspect_ratio)):
        return 0
    rows, columns, maps = layer.input.shape[1:]
    if None in (rows, columns):
        return MAX_OUTPUT + 1
    if is_resizing:
        padded = max(rows, columns * layer.height // layer.width), max(columns, rows * layer.width // layer.height)
        return math.prod(padded) * maps
    sides = (
        side + size * rate if rate > 1 else side
        for side, size, rate in zip((rows, columns), layer.kernel_size, layer.dilation_rate, strict=True)
    )
    return math.prod(sides) * maps * layer.depth_multiplier
