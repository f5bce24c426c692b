"""The convolutions of the MobileNets, which cost a fraction of plain ones."""

from __future__ import annotations

import keras

from kerasexp.config.model_section import Block
from kerasexp.models.layers import add_to_shortcut, convolution, finish


def separable_convolution(
    features: keras.KerasTensor, block: Block, stride: int, name: str, number: int, skipped: float
) -> keras.KerasTensor:
    """Depthwise separable convolution (MobileNet v1; Howard et al. 2017).

    A depthwise convolution filters each feature map, a 1x1 convolution mixes them; both with normalisation and activation.

    Returns:
        [n, height, width, block.filters], with the height and width of a plain convolution of the same kernel and stride.
    """
    features = _depthwise(features, block, stride, f"{name}_depthwise_{number}")
    return convolution(features, block.filters, 1, 1, block, f"{name}_pointwise_{number}")


def inverted_residual(
    features: keras.KerasTensor, block: Block, stride: int, name: str, number: int, skipped: float
) -> keras.KerasTensor:
    """Inverted residual with a linear bottleneck (MobileNet v2; Sandler et al., CVPR 2018).

    A 1x1 convolution expands the feature maps, a depthwise convolution filters each of them, and a 1x1 convolution projects
    them without activation, which would lose information in few maps. The input is added if it has the same shape: stride
    1, equal filters, and no border lost.

    Returns:
        [n, height, width, block.filters], as `separable_convolution`.
    """
    wide = features
    if block.expansion > 1:
        wide = convolution(wide, block.expansion * features.shape[-1], 1, 1, block, f"{name}_expand_{number}")
    wide = _depthwise(wide, block, stride, f"{name}_depthwise_{number}")
    narrow = convolution(wide, block.filters, 1, 1, block, f"{name}_project_{number}", linear=True)
    if stride > 1 or narrow.shape != features.shape:
        return narrow
    return add_to_shortcut(features, narrow, skipped, name, f"_{number}")


def _depthwise(features: keras.KerasTensor, block: Block, stride: int, name: str) -> keras.KerasTensor:
    features = keras.layers.DepthwiseConv2D(
        block.kernel,
        strides=stride,
        padding=block.padding,
        use_bias=not block.batch_norm,
        # He initialisation. Each output depends on kernel x kernel numbers of one feature map, which Keras computes as the
        # fan-out of a depthwise kernel. Its fan-in counts all maps, and with it the signal would fade.
        depthwise_initializer=keras.initializers.VarianceScaling(2.0, "fan_out", "truncated_normal"),
        name=name,
    )(features)
    return finish(features, block, name)
