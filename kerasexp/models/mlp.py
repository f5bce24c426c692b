"""Multi-layer perceptrons."""

from __future__ import annotations

import keras

from kerasexp.config.model_section import Mlp
from kerasexp.models.family import Family
from kerasexp.models.layers import dense, rescale


def build_mlp(model: Mlp, images: keras.KerasTensor) -> keras.KerasTensor:
    """Flatten the images and pass them through the hidden layers; return the features [n, units[-1]]."""
    features = keras.layers.Flatten(name="flatten")(rescale(images))
    for number, units in enumerate(model.units, start=1):
        features = dense(features, units, model.activation, model.batch_norm, model.dropout, f"dense_{number}")
    return features


MLP = Family(build_mlp, r"(dense_\d+)")
