"""How fast a training converges: steps and seconds to a share of the best accuracy, area under the curve."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

SHARES = (0.90, 0.95, 0.98, 0.99)

Curve = dict[str, np.ndarray]


@dataclass(frozen=True)
class Convergence:
    """The convergence of one of several compared runs.

    Attributes:
        reached: share -> (step, seconds) of the first point at or above this share of the best val accuracy of all runs;
            None if no point is.
        area: mean val accuracy over the range of steps that all curves cover, by the trapezoid rule; None if that is empty.
        biggest_drop: largest fall of val accuracy from one point to the next.
    """

    reached: dict[float, tuple[int, float] | None]
    area: float | None
    biggest_drop: float


def convergence(curves: list[Curve]) -> tuple[float, list[Convergence]]:
    """Compare learning curves.

    Args:
        curves: per run `step`, `seconds`, `val_accuracy`: float64 [points], steps ascending.

    Returns:
        The best val accuracy of all runs, and the convergence of each run.
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


def _reached(curve: Curve, threshold: float) -> tuple[int, float] | None:
    points = np.flatnonzero(curve["val_accuracy"] >= threshold)
    return (int(curve["step"][points[0]]), float(curve["seconds"][points[0]])) if len(points) else None


def _area(curve: Curve, first: float, last: float) -> float:
    steps = np.unique(np.concatenate([curve["step"], [first, last]]))
    steps = steps[(steps >= first) & (steps <= last)]
    return float(np.trapezoid(np.interp(steps, curve["step"], curve["val_accuracy"]), steps) / (last - first))
