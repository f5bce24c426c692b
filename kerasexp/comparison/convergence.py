"""How fast a training got where it went: steps and seconds to a share of the best, area below the curve."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

SHARES = (0.90, 0.95, 0.98, 0.99)

Curve = dict[str, np.ndarray]


@dataclass(frozen=True)
class Convergence:
    """Of one run among those that it is compared with.

    Attributes:
        reached: share -> (step, seconds) of the first record at or above that share of the best val accuracy of all runs;
            None where it was not reached.
        area: mean val accuracy over the steps that all runs have records of, by the trapezoid rule; None where they have
            no two in common.
        biggest_drop: the largest fall of val accuracy from one record to the next.
    """

    reached: dict[float, tuple[int, float] | None]
    area: float | None
    biggest_drop: float


def convergence(curves: list[Curve]) -> tuple[float, list[Convergence]]:
    """Compare learning curves.

    Args:
        curves: per run `step`, `seconds`, `val_accuracy`: float64 [records], steps ascending.

    Returns:
        The best val accuracy of all runs, and what each run made of it.
    """
    best = max(float(np.nanmax(curve["val_accuracy"])) for curve in curves)
    first = max(curve["step"][0] for curve in curves)
    last = min(curve["step"][-1] for curve in curves)
    return best, [
        Convergence(
            {share: _reached(curve, share * best) for share in SHARES},
            _area(curve, first, last) if first < last else None,
            float(np.nanmax(-np.diff(curve["val_accuracy"]), initial=0.0)),
        )
        for curve in curves
    ]


def _reached(curve: Curve, bar: float) -> tuple[int, float] | None:
    there = np.flatnonzero(curve["val_accuracy"] >= bar)
    return (int(curve["step"][there[0]]), float(curve["seconds"][there[0]])) if len(there) else None


def _area(curve: Curve, first: float, last: float) -> float:
    steps = np.unique(np.concatenate([curve["step"], [first, last]]))
    steps = steps[(steps >= first) & (steps <= last)]
    return float(np.trapezoid(np.interp(steps, curve["step"], curve["val_accuracy"]), steps) / (last - first))
