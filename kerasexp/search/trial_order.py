"""The order of the trials of a search, for its own results and for the list of runs, which imports no NumPy."""

from __future__ import annotations

import math


def place_of(score: float, loss: float | None, direction: str) -> tuple[float, float]:
    """Return what finished trials are sorted by, the best first; ties go to the lower loss, then to the earlier trial.

    Args:
        score: the objective.
        loss: on `val`, if it is known.
        direction: of the objective, `max` or `min`.
    """
    return -score if direction == "max" else score, math.inf if loss is None else loss
