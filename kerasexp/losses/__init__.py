"""What is minimised: one file per family of losses, and this dict of their names."""

from __future__ import annotations

from collections.abc import Callable

import keras

from kerasexp.config.training import Loss
from kerasexp.losses.cross_entropy import cross_entropy

LOSSES: dict[str, Callable[[Loss], keras.losses.Loss]] = {"cross_entropy": cross_entropy}


def build_loss(loss: Loss) -> keras.losses.Loss:
    """Return the loss of integer labels [n] and probabilities [n, classes]."""
    return LOSSES[loss.name](loss)
