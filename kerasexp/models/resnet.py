"""ResNet18, a residual network of basic blocks (He et al., "Deep Residual Learning for Image Recognition", CVPR 2016).

Padding, the epsilon of batch normalisation and the scaling of images are those of PyTorch, in which the published weights
were trained, so that these can be loaded.
"""

from __future__ import annotations

import keras

from kerasexp.config.model_section import ResNet18
from kerasexp.models.family import Family
from kerasexp.models.layers import (
    POOLINGS,
    activate,
    add_to_shortcut,
    dense_head,
    normalise,
    rescale,
    skipped_share,
    standardise,
)

STAGES, BLOCKS = 4, 2
EPSILON = 1e-5


def build_resnet18(model: ResNet18, images: keras.KerasTensor) -> keras.KerasTensor:
    """Pass images [n, height, width, channels] through stem, four stages of two blocks, and head; return the features.

    With 64 feature maps in the first stage and three channels it has 11,176,512 trainable parameters below the logits, as
    published. Every stage but the first halves height and width in its first block. The last batch normalisation of a
    block starts with scale 1, as in the paper; some later recipes start with 0.
    """
    scaled = standardise(images) if images.shape[-1] == 3 else rescale(images)
    features = _stem(scaled, model)
    for stage in range(1, STAGES + 1):
        for block in range(1, BLOCKS + 1):
            stride = 2 if stage > 1 and block == 1 else 1
            skipped = skipped_share(model.stochastic_depth, (stage - 1) * BLOCKS + block, STAGES * BLOCKS)
            features = _block(features, model.width * 2 ** (stage - 1), stride, f"stage_{stage}_block_{block}", skipped)
    features = POOLINGS[model.pooling](name=model.pooling)(features)
    return dense_head(features, model.head)


def _stem(images: keras.KerasTensor, model: ResNet18) -> keras.KerasTensor:
    if model.stem == "small":
        return activate(_convolution(images, model.width, 3, 1, "stem_conv"), "relu", "stem_conv_relu")
    features = activate(_convolution(images, model.width, 7, 2, "stem_conv"), "relu", "stem_conv_relu")
    # After ReLU no value is below 0, so that padding with zeros does not change a maximum.
    features = keras.layers.ZeroPadding2D(1, name="stem_pool_pad")(features)
    return keras.layers.MaxPooling2D(3, strides=2, name="stem_pool")(features)


def _block(features: keras.KerasTensor, filters: int, stride: int, name: str, skipped: float) -> keras.KerasTensor:
    """Two 3x3 convolutions; the input, projected if the shapes differ, is added before the last activation."""
    shortcut = features
    if stride > 1 or features.shape[-1] != filters:
        shortcut = _convolution(features, filters, 1, stride, f"{name}_shortcut")
    features = activate(_convolution(features, filters, 3, stride, f"{name}_conv_1"), "relu", f"{name}_conv_1_relu")
    features = _convolution(features, filters, 3, 1, f"{name}_conv_2")
    features = add_to_shortcut(shortcut, features, skipped, name)
    return activate(features, "relu", f"{name}_relu")


def _convolution(features: keras.KerasTensor, filters: int, kernel: int, stride: int, name: str) -> keras.KerasTensor:
    """Convolution without bias, with He initialisation (He et al., ICCV 2015), then batch normalisation."""
    padding = "same"
    if stride > 1:
        # Equal padding on all sides, as in PyTorch; with a stride, `same` pads less at the top and the left.
        padding = "valid"
        if kernel > 1:
            features = keras.layers.ZeroPadding2D(kernel // 2, name=f"{name}_pad")(features)
    features = keras.layers.Conv2D(
        filters, kernel, strides=stride, padding=padding, use_bias=False, kernel_initializer="he_normal", name=name
    )(features)
    return normalise(features, f"{name}_norm", EPSILON)


RESNET18 = Family(build_resnet18, r"(stage_\d+_block_\d+|stem)")
