"""Networks of keras.applications with their own preprocessing, as layers of one flat model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import keras

from kerasexp.config.model_section import Application, MobileNet
from kerasexp.models.family import Family
from kerasexp.models.layers import POOLINGS, dense_head, standardise

# Means of ImageNet's channels, red first, in 0..255, as the first networks in Caffe subtract them.
CAFFE_MEAN = (123.68, 116.779, 103.939)
SERVER = "https://storage.googleapis.com/tensorflow/keras-applications"


@dataclass(frozen=True)
class WeightFile:
    """A file of ImageNet weights as keras.applications names it.

    Attributes:
        url: address of the file.
        md5: MD5 of its content; None if Keras states none.
    """

    url: str
    md5: str | None = None

    @property
    def name(self) -> str:
        return self.url.rpartition("/")[2]


@dataclass(frozen=True)
class Network:
    """A network of keras.applications.

    Attributes:
        build: its function in keras.applications.
        preprocess: from uint8 images [n, height, width, 3] to the scale that the network was trained on.
        weights: (section `model`, side of the images, with the ImageNet classes or without) -> the file of weights.
        block: as in `Family`.
        sides: the sides of square images that have weights of their own; other images take the weights of the last.
    """

    build: Callable[..., keras.Model]
    preprocess: Callable[[keras.KerasTensor], keras.KerasTensor]
    weights: Callable[[Application, int, bool], WeightFile]
    block: str
    sides: tuple[int, ...] = (224,)

    def side(self, height: int, width: int) -> int:
        """Return the side of the images whose weights fit images of this size best."""
        return height if height == width and height in self.sides else self.sides[-1]


def build_application(model: Application, images: keras.KerasTensor) -> keras.KerasTensor:
    """Pass uint8 images [n, height, width, 3] through preprocessing, network, pooling and head; return the features.

    The weights are random; `kerasexp.training.pretrained_weights` loads pretrained ones.
    """
    built = _built(model, images, include_top=False)
    features = POOLINGS[model.pooling](name=model.pooling)(built.output)
    return dense_head(features, model.head)


def imagenet_logits(model: Application, images: keras.KerasTensor) -> keras.KerasTensor:
    """Pass uint8 images [n, height, width, 3] through preprocessing and the whole network; return [n, 1000] logits."""
    return _built(model, images, include_top=True, classifier_activation=None).output


def _built(model: Application, images: keras.KerasTensor, **arguments) -> keras.Model:
    network = NETWORKS[model.name]
    alpha = {"alpha": model.alpha} if isinstance(model, MobileNet) else {}
    return network.build(weights=None, input_tensor=network.preprocess(images), **alpha, **arguments)


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


def _efficientnet(**arguments) -> keras.Model:
    # Keras numbers the layers of its own preprocessing from model to model, so that their names would vary.
    return keras.applications.EfficientNetV2B0(include_preprocessing=False, **arguments)


def _for_all_sizes(url: str, md5: str, md5_with_top: str) -> Callable[[Application, int, bool], WeightFile]:
    full, headless = WeightFile(f"{SERVER}/{url}.h5", md5_with_top), WeightFile(f"{SERVER}/{url}_notop.h5", md5)
    return lambda model, side, with_top: full if with_top else headless


def _mobilenet_weights(model: MobileNet, side: int, with_top: bool) -> WeightFile:
    width = {1.0: "1_0", 0.75: "7_5", 0.5: "5_0", 0.25: "2_5"}[model.alpha]
    return WeightFile(f"{SERVER}/mobilenet/mobilenet_{width}_{side}_tf{'' if with_top else '_no_top'}.h5")


def _mobilenet_v2_weights(model: MobileNet, side: int, with_top: bool) -> WeightFile:
    url = f"{SERVER}/mobilenet_v2/mobilenet_v2_weights_tf_dim_ordering_tf_kernels_{model.alpha}_{side}"
    return WeightFile(f"{url}{'' if with_top else '_no_top'}.h5")


NETWORKS = {
    "resnet50": Network(
        keras.applications.ResNet50,
        _caffe,
        _for_all_sizes(
            "resnet/resnet50_weights_tf_dim_ordering_tf_kernels",
            "4d473c1dd8becc155b73f8504c6f6626",
            "2cb95161c43110f7111970584f804107",
        ),
        r"(conv\d+_block\d+|conv1)",
    ),
    "mobilenet": Network(
        keras.applications.MobileNet,
        _minus_one_to_one,
        _mobilenet_weights,
        # conv_dw_7, depthwise, and conv_pw_7, pointwise, are the block conv_7.
        r"(conv1)|(conv)_(?:dw|pw)_(\d+)",
        (128, 160, 192, 224),
    ),
    "mobilenet_v2": Network(
        keras.applications.MobileNetV2,
        _minus_one_to_one,
        _mobilenet_v2_weights,
        r"(?:bn_)?(expanded_conv|block_\d+|Conv_?1)",
        (96, 128, 160, 192, 224),
    ),
    "efficientnet_v2_b0": Network(
        _efficientnet,
        standardise,
        _for_all_sizes(
            "efficientnet_v2/efficientnetv2-b0", "893217f2bb855e2983157299931e43ff", "21ecbf6da12460d5c40bb2f29ceb2188"
        ),
        r"(block\d+[a-z]|stem|top)",
    ),
}

APPLICATIONS = {name: Family(build_application, network.block) for name, network in NETWORKS.items()}
