"""Where a training is, as the live displays show it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Position:
    """Where a run is; what is not known is None.

    Attributes:
        phase: what it does: `training`, `validating`, or another word.
        epoch, epochs: the running epoch, from 1, and all.
        step, steps: the last step of the epoch, and all of an epoch.
        loss, accuracy: of the epoch so far.
        images_per_second: recently.
        seconds_left: of the training.
    """

    phase: str
    epoch: int | None = None
    epochs: int | None = None
    step: int | None = None
    steps: int | None = None
    loss: float | None = None
    accuracy: float | None = None
    images_per_second: float | None = None
    seconds_left: float | None = None

    @property
    def share(self) -> float:
        """The part of the training that is done, 0 to 1."""
        if not (self.epoch and self.epochs and self.steps):
            return 0.0
        return min(((self.epoch - 1) * self.steps + (self.step or 0)) / (self.epochs * self.steps), 1.0)
