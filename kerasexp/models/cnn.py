"""Convolutional networks: blocks of convolutions and pooling, then a dense head."""

from __future__ import annotations

from collections.abc import Callable

import keras

from kerasexp.config.model_section import Block, Cnn
from kerasexp.models.family import Family
from kerasexp.models.layers import POOLINGS, convolution, dense_head, rescale
from kerasexp.models.mobilenet import inverted_residual, separable_convolution


def build_cnn(model: Cnn, images: keras.KerasTensor) -> keras.KerasTensor:
    """Pass uint8 images [n, height, width, channels] through the blocks and the head; return the features [n, f]."""
    features = rescale(images)
    for number, block in enumerate(model.blocks, start=1):
        features = _block(features, block, f"block_{number}")
    features = POOLINGS[model.pooling](name=model.pooling)(features)
    return dense_head(features, model.head)


def _block(features: keras.KerasTensor, block: Block, name: str) -> keras.KerasTensor:
    block_input = features
    for number in range(1, block.convolutions + 1):
        stride = block.stride if number == 1 else 1
        features = KINDS[block.kind](features, block, stride, name, number)
    if block.shortcut:
        features = _sum(block_input, features, block, name)
    if block.pool:
        features = keras.layers.MaxPooling2D(block.pool, name=f"{name}_pool")(features)
    return keras.layers.Dropout(block.dropout, name=f"{name}_dropout")(features) if block.dropout else features


def _sum(shortcut: keras.KerasTensor, features: keras.KerasTensor, block: Block, name: str) -> keras.KerasTensor:
    """Add a block's input to its feature maps, projected if the shapes differ (residual learning; He et al. 2016)."""
    if shortcut.shape != features.shape:
        shortcut = convolution(shortcut, block.filters, 1, block.stride, block, f"{name}_shortcut", linear=True)
    return keras.layers.Add(name=f"{name}_sum")([features, shortcut])


def _plain(features: keras.KerasTensor, block: Block, stride: int, name: str, number: int) -> keras.KerasTensor:
    return convolution(features, block.filters, block.kernel, stride, block, f"{name}_conv_{number}")


# One convolution of a block: (features, block, stride, name of the block, number of the convolution) -> features.
KINDS: dict[str, Callable[[keras.KerasTensor, Block, int, str, int], keras.KerasTensor]] = {
    "conv": _plain,
    "mobile": separable_convolution,
    "inverted_residual": inverted_residual,
}

CNN = Family(build_cnn, r"(block_\d+)")
