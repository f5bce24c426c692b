"""Reliability diagram."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from kerasexp.plots.style import BLUE, GREY, ORANGE, new_figure, plain_axes

Bins = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def plot_reliability(measured: Bins, calibrated: Bins | None = None) -> Figure:
    """Draw accuracy over confidence, with 95 % intervals, and below it the number of images in each bin.

    Args:
        measured: of uncalibrated probabilities, in bins of equal width from 0 to 1: mean confidence, accuracy, low and high
            end of its interval, float [bins] with NaN in empty bins, and number of images, int [bins].
        calibrated: the same after temperature scaling.
    """
    figure, (diagram, histogram) = new_figure(6.5, 6.8, rows=2, heights=[3, 1])
    diagram.plot([0, 1], [0, 1], ":", color=GREY, label="accuracy = confidence")
    series = [(measured, BLUE, "o", "as trained")]
    if calibrated is not None:
        series.append((calibrated, ORANGE, "D", "after temperature scaling"))
    for (confidence, accuracy, low, high, counts), colour, marker, label in series:
        filled = counts > 0
        errors = np.maximum([accuracy - low, high - accuracy], 0)[:, filled]
        style = {"color": colour, "marker": marker, "markersize": 5, "capsize": 3, "label": label}
        diagram.errorbar(confidence[filled], accuracy[filled], errors, linewidth=1.3, elinewidth=1, **style)
        edges = np.linspace(0, 1, len(counts) + 1)
        histogram.stairs(counts, edges, color=colour, linewidth=1.6, fill=False)
    counts = np.concatenate([counts for (*_, counts), *_ in series])
    if counts.max() > 100 * counts[counts > 0].min(initial=counts.max()):
        histogram.set_yscale("log")
        histogram.set_ylim(bottom=0.7)
    for axes in (diagram, histogram):
        plain_axes(axes)
        axes.set_xlim(-0.02, 1.02)
    diagram.set_ylim(-0.02, 1.02)
    diagram.set_ylabel("accuracy")
    diagram.legend(frameon=False, loc="upper left", fontsize=10)
    histogram.set_ylabel("images")
    histogram.set_xlabel("confidence: probability of the predicted class")
    return figure
