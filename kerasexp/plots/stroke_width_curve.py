"""Accuracy over the width of the strokes."""

from __future__ import annotations

from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from kerasexp.plots.style import BLUE, GREY, ORANGE, new_figure, plain_axes


def plot_stroke_widths(rows: list[dict[str, float]]) -> Figure:
    """Draw accuracy over the factor of the pen's width, with its 95 % interval, and accuracy without letter case if given.

    Args:
        rows: one per factor, in ascending order, with `factor`, `accuracy`, `accuracy_low`, `accuracy_high`, and perhaps
            `case_insensitive_accuracy`.
    """
    figure, (axes,) = new_figure(6, 3.6)
    factors = [row["factor"] for row in rows]
    axes.axvline(1, color=GREY, linestyle=":", linewidth=1.2)
    if all("case_insensitive_accuracy" in row for row in rows):
        without_case = [row["case_insensitive_accuracy"] for row in rows]
        axes.plot(factors, without_case, color=ORANGE, marker="s", markersize=5, label="without letter case")
    accuracy = [row["accuracy"] for row in rows]
    axes.fill_between(
        factors,
        [row["accuracy_low"] for row in rows],
        [row["accuracy_high"] for row in rows],
        color=BLUE,
        alpha=0.15,
        linewidth=0,
        label="95 % interval",
    )
    axes.plot(factors, accuracy, color=BLUE, marker="o", markersize=5, label="accuracy")
    axes.set_xticks(factors, [f"{factor:g}" for factor in factors])
    axes.set_xlabel("width of the strokes, relative to that of the images")
    axes.set_ylabel("accuracy on val")
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=None))
    axes.set_title("Strokes of other widths")
    handles, names = axes.get_legend_handles_labels()
    axes.legend(handles[::-1], names[::-1], frameon=False)
    plain_axes(axes)
    return figure
