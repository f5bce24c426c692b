"""The layers that are not in keras.layers: ours, and those that networks of keras.applications bring along.

A new one joins here: `saving` then accepts it in a model file, `flops` counts it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import keras
from keras.src.applications.convnext import LayerScale
from keras.src.applications.inception_resnet_v2 import CustomScaleLayer

from kerasexp.models.label_mapping_layer import LabelMapping
from kerasexp.models.nearest_neighbours_layer import NearestNeighbours


@dataclass(frozen=True)
class OwnLayer:
    """A layer class that is not in keras.layers; ours are registered with Keras under `kerasexp`.

    Attributes:
        layer: the class. As strangers' model files may contain it, it must compute on tensors and do nothing else, and limit
            the memory that its arguments can request.
        flops: floating-point operations of a built layer for one image.
        words: argument -> the words that it accepts.
        gives_logits: whether its outputs are logits.
    """

    layer: type[keras.layers.Layer]
    flops: Callable[[keras.layers.Layer], int]
    words: Mapping[str, set[str]] = field(default_factory=dict)
    gives_logits: bool = False


OWN_LAYERS = {
    own.layer.__name__: own
    for own in (
        # Each output is compared for each class; each example is compared with the image, number by number.
        OwnLayer(
            LabelMapping,
            lambda layer: math.prod(layer.input.shape[1:]) * len(layer.groups),
            {"combine": {"max", "sum"}},
            gives_logits=True,
        ),
        OwnLayer(NearestNeighbours, lambda layer: 2 * math.prod(layer.points.shape), gives_logits=True),
        # ConvNeXt multiplies each map by a weight; Inception-ResNet adds a fixed share of its second input to the first.
        OwnLayer(LayerScale, lambda layer: math.prod(layer.output.shape[1:])),
        OwnLayer(CustomScaleLayer, lambda layer: 2 * math.prod(layer.output.shape[1:])),
    )
}
