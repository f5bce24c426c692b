"""Mutual information of labels and predictions, and its distribution by chance."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FormatStrFormatter

from kerasexp.plots.style import BLUE, GREY, ORANGE, RED, new_figure, plain_axes

BINS = 30
# Zero bits are drawn here, as a logarithmic axis has no zero.
LEAST = 1e-5


def plot_mutual_information(bits: float, null: np.ndarray, limits: dict[str, float]) -> Figure:
    """Draw the mutual information of labels and predictions, and its distribution for independent labels.

    Args:
        bits: mutual information.
        null: float [draws], the same for independent labels.
        limits: upper limits in bits, by name; at most two.
    """
    figure, (axes,) = new_figure(7, 2.9)
    shown = np.maximum([*null, bits, *limits.values()], LEAST)
    edges = np.geomspace(shown.min() / 1.5, shown.max() * 1.5, 3 * BINS)
    axes.hist(np.maximum(null, LEAST), edges, color=GREY, label=f"by chance, {len(null):,} draws")
    axes.axvline(max(bits, LEAST), color=RED, linewidth=2, label=f"these labels: {bits:.4f}")
    for (name, limit), colour, style in zip(limits.items(), (BLUE, ORANGE), ("--", ":"), strict=False):
        axes.axvline(max(limit, LEAST), color=colour, linestyle=style, label=f"{name}: {limit:.3f}")
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(FormatStrFormatter("%g"))
    axes.set_xlabel("mutual information of labels and predictions in bits")
    axes.set_ylabel("draws")
    plain_axes(axes)
    figure.legend(*axes.get_legend_handles_labels(), loc="outside upper center", ncols=2, frameon=False, fontsize=9)
    return figure
