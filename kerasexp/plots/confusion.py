"""Confusion matrices, readable from two classes to hundreds."""

from __future__ import annotations

import numpy as np
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure

from kerasexp.plots.style import new_figure

# Numbers in the cells are readable up to this many classes, names on the axes up to the other.
MAX_NUMBERS, MAX_NAMES = 20, 100


def plot_confusion(counts: np.ndarray, class_names: list[str]) -> Figure:
    """Draw a confusion matrix: a row per true class, a column per predicted one; colour is the share of the row.

    Args:
        counts: int [classes, classes].
        class_names: in the same order.
    """
    classes = len(class_names)
    side = float(np.clip(1.8 + 0.42 * classes, 4.0, 11.0))
    figure, (axes,) = new_figure(side + 0.8, side)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    # Errors are small beside the diagonal; the root makes them visible.
    picture = axes.imshow(shares, cmap="Blues", norm=PowerNorm(0.5, 0, 1), interpolation="nearest")
    figure.colorbar(picture, ax=axes, shrink=0.8, label="share of the true class")
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    if classes <= MAX_NAMES:
        size = float(np.clip(420 / classes, 4, 10))
        longest = max(map(len, class_names))
        axes.set_xticks(range(classes), class_names, fontsize=size, rotation=90 if longest > 2 else 0, parse_math=False)
        axes.set_yticks(range(classes), class_names, fontsize=size, parse_math=False)
    if classes <= MAX_NUMBERS:
        for row, column in np.argwhere(counts):
            colour = "white" if shares[row, column] > 0.4 else "black"
            axes.text(column, row, str(counts[row, column]), ha="center", va="center", fontsize=8, color=colour)
    return figure
