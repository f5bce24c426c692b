"""The error on the images that are answered, over their share."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from kerasexp.plots.style import BLUE, GREY, ORANGE, new_figure, plain_axes

# Points of a curve that are drawn; the first images are few, and their error jumps.
DRAWN = 1000
# The axis ends a little above the highest error from this share on.
FROM = 0.05


def plot_risk_coverage(
    curves: dict[str, tuple[np.ndarray, np.ndarray]],
    chosen: dict[str, tuple[float, float]] | None = None,
    allowed: float | None = None,
) -> Figure:
    """Draw the curve of each split, with the point of the threshold, and the error that is allowed.

    Args:
        curves: by split, share answered and error among these, float [k] each.
        chosen: by split, share answered and error at the threshold.
        allowed: the largest error on val.
    """
    figure, (axes,) = new_figure(6, 4)
    for (name, (coverage, error)), colour in zip(curves.items(), (BLUE, ORANGE), strict=False):
        kept = np.unique(np.linspace(0, len(coverage) - 1, min(DRAWN, len(coverage))).astype(int))
        axes.step(coverage[kept], error[kept], color=colour, linewidth=1.6, where="post", label=name)
        if chosen and name in chosen:
            axes.plot(*chosen[name], "o", color=colour, markersize=7, label=f"{name} at the threshold")
    if allowed is not None:
        axes.axhline(allowed, color=GREY, linestyle=":", linewidth=1.2, label="allowed on val")
    axes.set_xlim(0, 1.02)
    highest = max(error[coverage >= FROM].max() for coverage, error in curves.values())
    axes.set_ylim(0, min(1.3 * max(highest, allowed or 0) + 0.005, 1.02))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(PercentFormatter(1, decimals=None))
    axes.set_xlabel("images answered, those with the highest probability first")
    axes.set_ylabel("wrong among those answered")
    axes.legend(frameon=False, loc="upper left")
    plain_axes(axes)
    return figure
