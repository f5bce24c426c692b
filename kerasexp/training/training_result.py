"""The results of a training."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from kerasexp.training.gradient_record import Gradients


@dataclass(frozen=True)
class TimeLimit:
    """Where `training.max_minutes` stopped a training.

    Attributes:
        minutes: the limit.
        epoch, step: the last ones, from 1; the epoch may be incomplete, and is the last one of the history.
        epochs, steps: how many were asked for, and how many an epoch has.
    """

    minutes: float
    epoch: int
    step: int
    epochs: int
    steps: int

    def __str__(self) -> str:
        return (
            f"training.max_minutes {self.minutes:g} stopped the training in epoch {self.epoch} of {self.epochs}, "
            f"after step {self.step} of {self.steps}"
        )


@dataclass(frozen=True)
class TrainingResult:
    """The results of a training, apart from the checkpoint.

    Attributes:
        history: one row per epoch.
        gradients: recorded at up to a hundred steps.
        early: one row per validation at the steps of `training.validate_at`.
        kept: the epoch, from 1, of the checkpoint.
        seconds: the duration.
        cross_validation: of a classical head, one row per value that was tried: the value under its key, and the mean and
            standard deviation of the accuracy.
        epochs: the number of trained epochs; 0 for a classical head, although its history has one row.
        tied: how many epochs equal the kept one in the monitored metric, itself included; 1 if the last epoch is always kept.
        time_limit: where the limit of time stopped the training; None if it came to its end.
        taught: the teachers of a distillation and their accuracy on val, as plain JSON values; None without a teacher.
    """

    history: list[dict[str, float]]
    gradients: Gradients
    early: list[dict[str, float]]
    kept: int
    seconds: float
    cross_validation: list[dict[str, float]] = field(default_factory=list)
    epochs: int = 0
    tied: int = 1
    time_limit: TimeLimit | None = None
    taught: dict[str, Any] | None = None

    def tie(self, monitor: str) -> str | None:
        """Return a sentence on the epochs that tie in the monitored metric, and the one kept; None without a tie."""
        if self.tied == 1:
            return None
        one = "last of them" if monitor == "val_loss" else "one with the lowest val_loss"
        return f"{self.tied} of {self.epochs} epochs tie in {monitor}; the {one}, epoch {self.kept}, is kept"
