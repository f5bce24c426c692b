"""What training leaves besides the checkpoint."""

from __future__ import annotations

from dataclasses import dataclass, field

from kerasexp.training.gradient_flow import Gradients


@dataclass(frozen=True)
class Fitted:
    """What training leaves besides the checkpoint.

    Attributes:
        history: one row per epoch.
        gradients: of some hundred steps.
        early: one row per validation at the steps of `training.validate_at`.
        kept: the epoch, from 1, that the checkpoint is of.
        seconds: how long it took.
        cross_validation: of a classical head, one row per value that was tried: the value by its key, and mean and standard
            deviation of the accuracy.
        epochs: how many were trained; 0 for a classical head, whose history has one row all the same.
    """

    history: list[dict[str, float]]
    gradients: Gradients
    early: list[dict[str, float]]
    kept: int
    seconds: float
    cross_validation: list[dict[str, float]] = field(default_factory=list)
    epochs: int = 0
