"""Confusion matrices, readable from two classes to hundreds."""

from __future__ import annotations

import numpy as np
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure

from kerasexp.plots.style import MAX_NAMES, new_figure
from kerasexp.plots.tick_labels import drawable, text_width, tick_rotation, verbatim

# Most classes with readable numbers in the cells.
MAX_NUMBERS = 20


def plot_confusion(
    counts: np.ndarray,
    class_names: list[str],
    normalised: bool = False,
    rows: str = "true",
    columns: str = "predicted",
    block: int = 1,
) -> Figure:
    """Draw a confusion matrix: a row per true class, a column per predicted one; colour is the share of the row.

    Args:
        counts: int [classes, classes], or with `block` adjacent classes in a row and a column.
        class_names: in the same order.
        normalised: whether the cells show percent of the row instead of counts.
        rows, columns: axis labels.
        block: number of classes in each row and column.
    """
    classes = len(class_names)
    names = drawable(class_names)
    side, size = float(np.clip(1.2 + 0.42 * classes, 2.6, 8.6)), float(np.clip(420 / classes, 4, 10))
    rotation = tick_rotation(names, size, side)
    beside = text_width(names, size) if classes <= MAX_NAMES else 0.2
    figure, (axes,) = new_figure(side + 1.5 + beside, side + 0.4 + (beside if rotation else 0.2))
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    extent = None if block == 1 else (-0.5, len(counts) * block - 0.5, len(counts) * block - 0.5, -0.5)
    # Errors are small compared to the diagonal; the square root makes them visible.
    image = axes.imshow(shares, cmap="Blues", norm=PowerNorm(0.5, 0, 1), interpolation="nearest", extent=extent)
    figure.colorbar(image, ax=axes, shrink=0.8, label=f"share of the {rows} class")
    by = "" if classes <= MAX_NAMES else ", by class number" + (f", {block} classes a cell" if block > 1 else "")
    # The layout reserves room for labels before it knows the image's shape; the corner anchor keeps them together.
    axes.set_anchor("SW")
    axes.set_xlabel(f"{columns}{by}")
    axes.set_ylabel(f"{rows}{by}")
    if classes <= MAX_NAMES:
        axes.set_xticks(range(classes), names, fontsize=size, rotation=rotation, **verbatim(*names))
        axes.set_yticks(range(classes), names, fontsize=size, **verbatim(*names))
    if classes <= MAX_NUMBERS:
        for row, column in np.argwhere(counts):
            colour = "white" if shares[row, column] > 0.4 else "black"
            text = f"{100 * shares[row, column]:.3g}" if normalised else str(counts[row, column])
            axes.text(column, row, text, ha="center", va="center", fontsize=8, color=colour)
    return figure
