"""The loss over the learning rate, from a range test."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from kerasexp.plots.style import BLUE, GREY, ORANGE, new_figure, plain_axes


def plot_range_test(
    rates: np.ndarray, losses: np.ndarray, smoothed: np.ndarray, lowest: float, suggestion: float | None
) -> Figure:
    """Draw the loss of each batch and its moving average over the learning rate.

    Args:
        rates: float [n], rising.
        losses, smoothed: float [n].
        lowest: the rate with the lowest smoothed loss.
        suggestion: the suggested rate, or None.
    """
    figure, (axes,) = new_figure(7.5, 3.8)
    axes.plot(rates, losses, color=GREY, linewidth=0.7, alpha=0.6, label="loss of a batch")
    axes.plot(rates, smoothed, color=BLUE, linewidth=1.8, label="moving average")
    axes.axvline(lowest, color=GREY, linestyle=":", label=f"lowest loss, at {lowest:.2g}")
    if suggestion is not None:
        axes.axvline(suggestion, color=ORANGE, label=f"suggestion, {suggestion:g}")
    # Batches at the end of a diverging test would press all others together.
    low, high = float(smoothed.min()), float(max(smoothed[: len(smoothed) // 2 + 1]))
    axes.set_ylim(low - 0.15 * (high - low or 1), high + 0.5 * (high - low or 1))
    axes.set_xscale("log")
    axes.set_xlabel("learning rate")
    axes.set_ylabel("loss")
    plain_axes(axes)
    axes.legend(frameon=False)
    return figure
