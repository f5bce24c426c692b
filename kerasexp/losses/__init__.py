"""What is minimised: one file per family of losses, and this dict of their names."""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np

from kerasexp.config.training import Loss
from kerasexp.losses.complementary import Forward, GradientAscent, NonNegative, SclExp, SclNl, Unbiased
from kerasexp.losses.cross_entropy import cross_entropy
from kerasexp.losses.imbalance import ClassBalanced, Focal, Ldam, LogitAdjusted

Build = Callable[[Loss, list[int]], keras.losses.Loss]

LOSSES: dict[str, Build] = {
    "cross_entropy": lambda loss, counts: cross_entropy(loss),
    "scl_nl": lambda loss, counts: SclNl(),
    "scl_exp": lambda loss, counts: SclExp(),
    "forward": lambda loss, counts: Forward(loss.transition),
    "unbiased": lambda loss, counts: Unbiased(_shares(counts)),
    "non_negative": lambda loss, counts: NonNegative(_shares(counts)),
    "gradient_ascent": lambda loss, counts: GradientAscent(_shares(counts)),
    "logit_adjusted": lambda loss, counts: LogitAdjusted(counts, loss.tau),
    "class_balanced": lambda loss, counts: ClassBalanced(counts, loss.beta),
    "focal": lambda loss, counts: Focal(loss.gamma),
    "ldam": lambda loss, counts: Ldam(counts, loss.scale),
}


def build_loss(loss: Loss, counts: list[int]) -> keras.losses.Loss:
    """Return the loss of integer labels [n] and logits [n, classes].

    Args:
        loss: as the experiment asks for it.
        counts: the training pictures of each class, which some losses go by.
    """
    return LOSSES[loss.name](loss, counts)


def _shares(counts: list[int]) -> list[float]:
    return (np.array(counts) / np.sum(counts)).tolist()
