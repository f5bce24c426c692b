"""Networks of keras.applications with their own preprocessing, as layers of one flat model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np

from kerasexp.config.application_facts import APPLICATIONS as FACTS
from kerasexp.config.model_section import Application
from kerasexp.models.family import Family
from kerasexp.models.layer_numbers import named_layers, number_layers
from kerasexp.models.layers import DEVIATION, MEAN, POOLINGS, dense_head, standardise

# Means of ImageNet's channels, red first, in 0..255, as the first networks in Caffe subtract them.
CAFFE_MEAN = (123.68, 116.779, 103.939)


@dataclass(frozen=True)
class Network:
    """How networks of keras.applications are built.

    Attributes:
        preprocess: from uint8 images [n, height, width, 3] to the scale that the network was trained on.
        block, ends: as in `Family`.
        arguments: of its function in keras.applications.
    """

    preprocess: Callable[[keras.KerasTensor], keras.KerasTensor]
    block: str
    ends: bool = False
    arguments: dict[str, Any] = field(default_factory=dict)


def build_application(model: Application, images: keras.KerasTensor) -> keras.KerasTensor:
    """Pass uint8 images [n, height, width, 3] through preprocessing, network, pooling and head; return the features.

    The weights are random; `kerasexp.training.pretrained_weights` loads pretrained ones.
    """
    maps = _output(model, images, include_top=False)
    features = POOLINGS[model.pooling](name=model.pooling)(maps)
    return dense_head(features, model.head)


def imagenet_logits(model: Application, images: keras.KerasTensor) -> keras.KerasTensor:
    """Pass uint8 images [n, height, width, 3] through preprocessing and the whole network; return [n, 1000] logits."""
    return _output(model, images, include_top=True, classifier_activation=None)


def _output(model: Application, images: keras.KerasTensor, **arguments: Any) -> keras.KerasTensor:
    network, function = NETWORKS[model.name], getattr(keras.applications, FACTS[model.name].function)
    own = {key: getattr(model, key) for key in ("alpha", "minimalistic") if hasattr(model, key)}
    before, tensor = named_layers(), network.preprocess(images)
    built = function(weights=None, input_tensor=tensor, **network.arguments, **own, **arguments)
    number_layers(built, before)
    set_imagenet_statistics(built)
    return built.output


def set_imagenet_statistics(network: keras.Model) -> None:
    """Let the layer with which the first EfficientNets standardise images do so by ImageNet's means and deviations.

    Their published weights hold deviations where this layer takes variances; Keras corrects that by a further layer, which
    it adds only where it loads the weights itself.
    """
    for layer in network.layers:
        if isinstance(layer, keras.layers.Normalization):
            layer.set_weights([np.array(MEAN), np.square(DEVIATION), np.array(0)])
            layer.finalize_state()


def _as_they_are(images: keras.KerasTensor) -> keras.KerasTensor:
    """Leave the images to the first layers of the network itself."""
    return images


def _caffe(images: keras.KerasTensor) -> keras.KerasTensor:
    """Subtract the means and reorder red, green, blue to blue, green, red, with layers that every Keras has.

    Keras has no layer that reorders channels, so each channel is cropped and the three are concatenated. A convolution
    would have weights, which the published files lack.
    """
    height, width, _ = images.shape[1:]
    centred = keras.layers.Rescaling(1.0, [-mean for mean in CAFFE_MEAN], name="rescaling")(images)
    rows = keras.layers.Reshape((height * width, 3, 1), name="channels")(centred)
    channels = [
        keras.layers.Cropping2D(((0, 0), (position, 2 - position)), name=name)(rows)
        for position, name in ((2, "blue"), (1, "green"), (0, "red"))
    ]
    reordered = keras.layers.Concatenate(axis=2, name="channels_turned")(channels)
    return keras.layers.Reshape((height, width, 3), name="blue_green_red")(reordered)


def _minus_one_to_one(images: keras.KerasTensor) -> keras.KerasTensor:
    return keras.layers.Rescaling(1 / 127.5, -1.0, name="rescaling")(images)


def _minus_one_to_below_one(images: keras.KerasTensor) -> keras.KerasTensor:
    return keras.layers.Rescaling(1 / 128, -1.0, name="rescaling")(images)


# Keras numbers the layers of its own preprocessing, so where it can be left out it is.
OURS = {"include_preprocessing": False}
# The first five convolutions of the Inceptions, which have no names of their own.
STEM = r"(?:conv2d|batch_normalization)(?:_[1-4])?$(?P<stem>)"
EFFICIENTNET = r"(block\d+[a-z]|stem|top)"
RESNET = Network(_caffe, r"(conv\d+_block\d+|conv1)")
# The start of a network's name -> how it is built; the longest start counts.
KINDS = {
    "mobilenet": Network(_minus_one_to_one, r"(conv1)|conv_(?:dw|pw)_(?P<conv>\d+)"),
    "mobilenet_v2": Network(_minus_one_to_one, r"(?:bn_)?(expanded_conv|block_\d+|Conv_?1)"),
    "mobilenet_v3": Network(_minus_one_to_one, r"(expanded_conv(?:_\d+)?|conv(?:_1)?)", arguments=OURS),
    # normal_conv_1_7, adjust_bn_7 and separable_conv_2_bn_normal_left1_7 are in cell 7.
    "nasnet": Network(
        _minus_one_to_one,
        r"(stem)_(?:conv|bn)1$|(?:normal|reduction|separable|adjust)_.*?_(?P<cell>(?:stem_|reduce_)?\d+)$",
    ),
    "efficientnet_b": Network(_as_they_are, EFFICIENTNET),
    "efficientnet_v2_b": Network(standardise, EFFICIENTNET, arguments=OURS),
    "efficientnet_v2": Network(_minus_one_to_below_one, EFFICIENTNET, arguments=OURS),
    "resnet": RESNET,
    "resnet50_v2": Network(_minus_one_to_one, RESNET.block),
    "resnet101_v2": Network(_minus_one_to_one, RESNET.block),
    "resnet152_v2": Network(_minus_one_to_one, RESNET.block),
    "densenet": Network(standardise, r"(conv\d+_block\d+|conv1|pool\d)"),
    "convnext": Network(
        standardise, r"convnext_[a-z]+_(stem|downsampling_block_\d+|stage_\d+_block_\d+)", arguments=OURS
    ),
    "inception_v3": Network(_minus_one_to_one, rf"(mixed\d+)|{STEM}", ends=True),
    "inception_resnet_v2": Network(_minus_one_to_one, rf"(mixed_\d[ab]|block\d+_\d+|conv_7b)|{STEM}", ends=True),
    "xception": Network(_minus_one_to_one, r"(block\d+)"),
    "vgg": Network(_caffe, r"(block\d+)"),
}
NETWORKS = {name: KINDS[max(filter(name.startswith, KINDS), key=len)] for name in FACTS}
APPLICATIONS = {name: Family(build_application, kind.block, kind.ends) for name, kind in NETWORKS.items()}
