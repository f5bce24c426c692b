"""The figures' common look."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure

BLUE, ORANGE, GREY, RED = "#2563b0", "#d9730d", "#8a8a8a", "#b42318"


def new_figure(width: float, height: float, rows: int = 1, columns: int = 1) -> tuple[Figure, list[Axes]]:
    """Return a white figure of this size, in inches, and its axes, row by row.

    Figures are made without pyplot: they need no display, and are freed with their last reference.
    """
    figure = Figure(figsize=(width, height), layout="constrained", facecolor="white")
    axes = figure.subplots(rows, columns, squeeze=False)
    return figure, list(axes.flat)


def plain(axes: Axes) -> None:
    """Leave the left and lower spines and a faint grid."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(True, color="#e3e3e3", linewidth=0.8)
    axes.set_axisbelow(True)
