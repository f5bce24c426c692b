"""Cross-validation scores of the values of a hyperparameter."""

from __future__ import annotations

from matplotlib.figure import Figure

from kerasexp.plots.style import BLUE, ORANGE, new_figure, plain_axes


def plot_cross_validation(rows: list[dict[str, float]], key: str) -> Figure:
    """Draw accuracy over the values of a hyperparameter, on a logarithmic axis.

    Args:
        rows: one per value, in ascending order, with `key`, and mean `accuracy` and its standard `deviation` over the folds.
        key: name of the hyperparameter.
    """
    figure, (axes,) = new_figure(6, 3.4)
    values, means = [row[key] for row in rows], [row["accuracy"] for row in rows]
    axes.errorbar(
        values, means, yerr=[row["deviation"] for row in rows], color=BLUE, marker="o", markersize=4, capsize=3
    )
    best = max(rows, key=lambda row: row["accuracy"])
    axes.plot(best[key], best["accuracy"], color=ORANGE, marker="o", markersize=8, linestyle="", label="selected")
    axes.set_xscale("log")
    axes.set_xlabel(key)
    axes.set_ylabel("accuracy")
    axes.set_title("Cross-validation on train")
    axes.legend(frameon=False)
    plain_axes(axes)
    return figure
