"""Common style of all plots."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure

BLUE, ORANGE, GREY, RED = "#2563b0", "#d9730d", "#8a8a8a", "#b42318"
# Ten colours that colour-blind readers can distinguish: M. Petroff, Accessible Color Sequences for Data Visualization, 2021.
PALETTE = (
    *("#3f90da", "#ffa90e", "#bd1f01", "#94a4a2", "#832db6"),
    *("#a96b59", "#e76300", "#b9ac70", "#717581", "#92dadd"),
)
# Most classes whose names fit on an axis.
MAX_NAMES = 100


def new_figure(
    width: float, height: float, rows: int = 1, columns: int = 1, heights: list[float] | None = None
) -> tuple[Figure, list[Axes]]:
    """Return a white figure of this size, in inches, and its axes, row by row.

    Figures are created without pyplot, so that they need no display and are freed with their last reference.

    Args:
        width: of the figure.
        height: of the figure.
        rows: of axes.
        columns: of axes.
        heights: of the rows, relative to each other; equal if None.
    """
    figure = Figure(figsize=(width, height), layout="constrained", facecolor="white")
    axes = figure.subplots(rows, columns, squeeze=False, height_ratios=heights)
    return figure, list(axes.flat)


def plain_axes(axes: Axes) -> None:
    """Keep only the left and lower spines and a faint grid."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(True, color="#e3e3e3", linewidth=0.8)
    axes.set_axisbelow(True)


def empty_figure(text: str) -> Figure:
    """Return a small figure with the reason why there is nothing to draw."""
    figure, (axes,) = new_figure(5, 0.8)
    axes.set_axis_off()
    axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", va="center", color=GREY, fontsize=11)
    return figure
