"""Outputs of one set of classes read as another."""

from __future__ import annotations

import keras
import numpy as np

# The logit of what cannot be: its probability is 0.
NEVER = -1e9
# So many numbers are held for each image of a batch, which a model file could ask for without holding them.
MOST = 2**22


@keras.saving.register_keras_serializable("kerasexp")
class LabelMapping(keras.layers.Layer):
    """From logits [n, outputs] to logits of the classes that groups of them mean, [n, classes].

    Args:
        groups: the outputs of each class; a class without any has probability 0.
        combine: max, the logit of the likeliest output of a group; sum, that of the sum of their probabilities.
    """

    def __init__(self, groups: list[list[int]], combine: str, **kwargs):
        super().__init__(**kwargs)
        self.groups, self.combine = groups, combine

    def build(self, shape):
        if shape[-1] * len(self.groups) > MOST:
            raise ValueError(f"{shape[-1]} outputs for {len(self.groups)} classes are more than {MOST:,} numbers")
        self._own = np.full((shape[-1], len(self.groups)), NEVER, np.float32)
        for label, outputs in enumerate(self.groups):
            self._own[outputs, label] = 0.0

    def call(self, logits):
        spread = keras.ops.expand_dims(logits, 2) + self._own
        found = keras.ops.max(spread, axis=1) if self.combine == "max" else keras.ops.logsumexp(spread, axis=1)
        return keras.ops.maximum(found, NEVER)

    def compute_output_shape(self, shape):
        return (*shape[:-1], len(self.groups))

    def get_config(self):
        return {**super().get_config(), "groups": self.groups, "combine": self.combine}
