"""From logits to an answer: as they are, turned round, or corrected for how frequent the classes were in training."""

from __future__ import annotations

from dataclasses import dataclass

import keras
import numpy as np

from kerasexp.config.training import Decode


@dataclass(frozen=True)
class Decoding:
    """An affine map of the logits: `scale * logits + offset`, whose largest entry is the answer.

    Attributes:
        scale: of all of them.
        offset: one number per class; None adds nothing.
    """

    scale: float = 1.0
    offset: list[float] | None = None

    def __call__(self, logits):
        """Return the mapped logits of a tensor [..., classes]."""
        return self.scale * logits + (0.0 if self.offset is None else keras.ops.convert_to_tensor(self.offset))

    def layer(self) -> keras.layers.Layer | None:
        """Return an ordinary Keras layer that does it, float32; None where nothing is to be done."""
        if self == ARGMAX:
            return None
        return keras.layers.Rescaling(self.scale, self.offset or 0.0, dtype="float32", name="decoded_logits")


ARGMAX = Decoding()


def decoding_of(decode: Decode, counts: list[int]) -> Decoding:
    """Return the map that an experiment asks for.

    `argmin` negates; `logit_adjusted` subtracts tau log pi_j, pi_j the share of class j in train (the post-hoc form of
    Menon et al., ICLR 2021). Of a class that is absent from train nothing was learned, and nothing is added.

    Args:
        decode: the section of the experiment.
        counts: the training images of each class.
    """
    if decode.name == "argmin":
        return Decoding(scale=-1.0)
    if decode.name == "logit_adjusted":
        present = np.maximum(counts, 1)
        return Decoding(offset=np.where(np.equal(counts, 0), 0.0, -decode.tau * np.log(present / sum(counts))).tolist())
    return ARGMAX
