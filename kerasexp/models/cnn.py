"""Plain convolutional networks: blocks of convolutions and pooling, then a dense head."""

from __future__ import annotations

import keras

from kerasexp.config.model import Block, Cnn
from kerasexp.models.layers import activate, dense_head, normalise

POOLINGS = {
    "flatten": keras.layers.Flatten,
    "average": keras.layers.GlobalAveragePooling2D,
    "max": keras.layers.GlobalMaxPooling2D,
}


def build_cnn(model: Cnn, pictures: keras.KerasTensor) -> keras.KerasTensor:
    """Pass pictures [n, height, width, channels] through the blocks and the head; return the features [n, f]."""
    features = pictures
    for number, block in enumerate(model.blocks, start=1):
        features = _block(features, block, f"block_{number}")
    features = POOLINGS[model.pooling](name=model.pooling)(features)
    return dense_head(features, model.head)


def _block(features: keras.KerasTensor, block: Block, name: str) -> keras.KerasTensor:
    for number in range(1, block.convolutions + 1):
        conv = f"{name}_conv_{number}"
        features = keras.layers.Conv2D(
            block.filters,
            block.kernel,
            strides=block.stride if number == 1 else 1,
            padding=block.padding,
            use_bias=not block.batch_norm,
            # He initialisation suits ReLU and its kin; it keeps deep plain nets from starting dead (He et al. 2015).
            kernel_initializer="he_normal",
            name=conv,
        )(features)
        if block.batch_norm:
            features = normalise(features, f"{conv}_norm")
        features = activate(features, block.activation, f"{conv}_{block.activation}")
    if block.pool:
        features = keras.layers.MaxPooling2D(block.pool, name=f"{name}_pool")(features)
    return keras.layers.Dropout(block.dropout, name=f"{name}_dropout")(features) if block.dropout else features
