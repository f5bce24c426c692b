"""From logits to an answer: unchanged, negated, or corrected for the frequencies of the classes in train."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import keras
import numpy as np

from kerasexp.config.decode_section import Decode, LogitAdjustment


@dataclass(frozen=True)
class Decoding:
    """An affine map of the logits, `scale * logits + offset`; the class with the largest result is the answer.

    Attributes:
        scale: one factor for all classes.
        offset: one number per class; None adds nothing.
    """

    scale: float = 1.0
    offset: list[float] | None = None

    def __call__(self, logits):
        """Return the mapped logits of a tensor [..., classes]."""
        return self.scale * logits + (0.0 if self.offset is None else keras.ops.convert_to_tensor(self.offset))

    def layer(self) -> keras.layers.Layer | None:
        """Return an ordinary Keras layer with this map, float32; None if the map changes nothing."""
        if self == ARGMAX:
            return None
        return keras.layers.Rescaling(self.scale, self.offset or 0.0, dtype="float32", name="decoded_logits")


ARGMAX = Decoding()


def _logit_adjusted(decode: LogitAdjustment, counts: list[int]) -> Decoding:
    """Subtract tau log pi_j, pi_j the share of class j in train (the post-hoc form of Menon et al., ICLR 2021).

    The logit of a class without training images stays as it is: nothing was learned about it.
    """
    present = np.maximum(counts, 1)
    return Decoding(offset=np.where(np.equal(counts, 0), 0.0, -decode.tau * np.log(present / sum(counts))).tolist())


# (section `decode`, training images of each class) -> the map.
DECODINGS: dict[str, Callable[[Decode, list[int]], Decoding]] = {
    "argmax": lambda decode, counts: ARGMAX,
    "argmin": lambda decode, counts: Decoding(scale=-1.0),
    "logit_adjusted": _logit_adjusted,
}


def decoding_of(decode: Decode, counts: list[int]) -> Decoding:
    """Return the map that an experiment asks for.

    Args:
        decode: the section of the experiment.
        counts: number of training images of each class.
    """
    return DECODINGS[decode.name](decode, counts)
