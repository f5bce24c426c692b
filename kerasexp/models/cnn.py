"""Convolutional networks: blocks of convolutions and pooling, then a dense head."""

from __future__ import annotations

from collections.abc import Callable

import keras

from kerasexp.config.model_section import Block, Cnn
from kerasexp.models.family import Family
from kerasexp.models.layers import POOLINGS, add_to_shortcut, convolution, dense_head, rescale, skipped_share
from kerasexp.models.mobilenet import inverted_residual, separable_convolution


def build_cnn(model: Cnn, images: keras.KerasTensor) -> keras.KerasTensor:
    """Pass uint8 images [n, height, width, channels] through the blocks and the head; return the features [n, f]."""
    features = rescale(images)
    for number, block in enumerate(model.blocks, start=1):
        skipped = skipped_share(model.stochastic_depth, number, len(model.blocks))
        features = _block(features, block, f"block_{number}", skipped)
    features = POOLINGS[model.pooling](name=model.pooling)(features)
    return dense_head(features, model.head)


def _block(features: keras.KerasTensor, block: Block, name: str, skipped: float) -> keras.KerasTensor:
    block_input = features
    for number in range(1, block.convolutions + 1):
        stride = block.stride if number == 1 else 1
        features = KINDS[block.kind](features, block, stride, name, number, skipped)
    if block.shortcut:
        features = _sum(block_input, features, block, name, skipped)
    if block.pool:
        features = keras.layers.MaxPooling2D(block.pool, name=f"{name}_pool")(features)
    return keras.layers.Dropout(block.dropout, name=f"{name}_dropout")(features) if block.dropout else features


def _sum(
    shortcut: keras.KerasTensor, features: keras.KerasTensor, block: Block, name: str, skipped: float
) -> keras.KerasTensor:
    """Add a block's input to its feature maps, projected if the shapes differ (residual learning; He et al. 2016)."""
    if shortcut.shape != features.shape:
        shortcut = convolution(shortcut, block.filters, 1, block.stride, block, f"{name}_shortcut", linear=True)
    return add_to_shortcut(shortcut, features, skipped, name)


def _plain(
    features: keras.KerasTensor, block: Block, stride: int, name: str, number: int, skipped: float
) -> keras.KerasTensor:
    return convolution(features, block.filters, block.kernel, stride, block, f"{name}_conv_{number}")


# One convolution of a block: (features, block, stride, name of the block, number of the convolution, share of images that skip
# it if it has a shortcut of its own) -> features.
KINDS: dict[str, Callable[[keras.KerasTensor, Block, int, str, int, float], keras.KerasTensor]] = {
    "conv": _plain,
    "mobile": separable_convolution,
    "inverted_residual": inverted_residual,
}

CNN = Family(build_cnn, r"(block_\d+)")
