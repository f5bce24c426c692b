"""Logits of one set of classes mapped to those of another."""

from __future__ import annotations

import keras
import numpy as np

# The logit of a class whose probability is 0.
IMPOSSIBLE_LOGIT = -1e9
# Limit on the intermediate values of one image, which a small model file could otherwise make arbitrarily many.
MAX_VALUES = 2**22


@keras.saving.register_keras_serializable("kerasexp")
class LabelMapping(keras.layers.Layer):
    """Map logits [n, outputs] to logits [n, classes], where each class is a group of outputs.

    Args:
        groups: the outputs of each class; a class without outputs has probability 0.
        combine: max: the largest logit of a group; sum: the logit of the sum of the group's probabilities.
    """

    def __init__(self, groups: list[list[int]], combine: str, **kwargs):
        super().__init__(**kwargs)
        self.groups, self.combine = groups, combine

    def build(self, shape):
        if shape[-1] * len(self.groups) > MAX_VALUES:
            raise ValueError(f"{shape[-1]} outputs for {len(self.groups)} classes are more than {MAX_VALUES:,} values")
        self._mask = np.full((shape[-1], len(self.groups)), IMPOSSIBLE_LOGIT, np.float32)
        for label, outputs in enumerate(self.groups):
            self._mask[outputs, label] = 0.0

    def call(self, logits):
        masked = keras.ops.expand_dims(logits, 2) + self._mask
        combined = keras.ops.max(masked, axis=1) if self.combine == "max" else keras.ops.logsumexp(masked, axis=1)
        return keras.ops.maximum(combined, IMPOSSIBLE_LOGIT)

    def compute_output_shape(self, shape):
        return (*shape[:-1], len(self.groups))

    def get_config(self):
        return {**super().get_config(), "groups": self.groups, "combine": self.combine}
