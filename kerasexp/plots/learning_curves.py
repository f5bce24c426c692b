"""Several runs side by side: learning curves, and accuracies with their intervals."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from kerasexp.plots.style import BLUE, ORANGE, PALETTE, new_figure, plain_axes
from kerasexp.plots.tick_labels import add_legend, drawable, verbatim

STYLES = ("-", "--", "-.", ":")


def plot_learning_curves(runs: list[tuple[str, dict[str, np.ndarray]]]) -> Figure:
    """Draw accuracy and loss on val of each run, over training steps and over seconds.

    Args:
        runs: name and curve of each; a curve has `step`, `seconds`, `val_accuracy` and `val_loss`, float [k] each.
    """
    figure, panels = new_figure(10.5, 7, rows=2, columns=2)
    for axes, (metric, across) in zip(
        panels, [(m, a) for m in ("val_accuracy", "val_loss") for a in ("step", "seconds")], strict=True
    ):
        lines = []
        for k, (_, curve) in enumerate(runs):
            look = {"linestyle": STYLES[k % len(STYLES)], "color": PALETTE[k % len(PALETTE)]}
            # A curve with a single point would be invisible without a marker.
            lines += axes.plot(curve[across], curve[metric], marker="." if len(curve[across]) <= 20 else None, **look)
        plain_axes(axes)
        _spread(axes, [curve[across] for _, curve in runs])
        axes.set_xlabel("training steps" if across == "step" else "seconds of training")
        axes.set_ylabel(metric.replace("val_", "") + " on val")
    names = drawable([name for name, _ in runs], 40)
    add_legend(figure, lines, names, loc="outside upper center", ncols=2, frameon=False)
    return figure


def plot_intervals(
    names: list[str], rates: np.ndarray, lows: np.ndarray, highs: np.ndarray, reported: list[float | None]
) -> Figure:
    """Draw the test accuracy of each run with its interval, and the paper's value as a diamond.

    Args:
        names: of the runs, from top to bottom.
        rates: float [runs].
        lows: float [runs], lower ends of the 95 % intervals.
        highs: float [runs], upper ends.
        reported: the paper's accuracy per run, or None.
    """
    figure, (axes,) = new_figure(7.5, 1.5 + 0.34 * len(names))
    places = np.arange(len(names))
    errors = np.maximum([rates - lows, highs - rates], 0)
    handles = [axes.errorbar(rates, places, xerr=errors, fmt="o", color=BLUE, capsize=3, markersize=5)]
    labels = ["measured, with 95 % interval"]
    known = [(rate, place) for place, rate in enumerate(reported) if rate is not None]
    if known:
        handles += axes.plot(*zip(*known, strict=True), "D", color=ORANGE, fillstyle="none", markersize=8)
        labels.append("paper")
    shown = drawable(names, 32)
    axes.set_yticks(places, shown, **verbatim(*shown))
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set_xlabel("test accuracy")
    plain_axes(axes)
    add_legend(figure, handles, labels, loc="outside upper center", ncols=2, frameon=False)
    return figure


def _spread(axes: Axes, places: list[np.ndarray]) -> None:
    values = np.concatenate(places)
    positive = values[values > 0]
    if len(positive) and positive.min() < positive.max() / 50:
        # symlog, because the curve may start at 0.
        axes.set_xscale("symlog", linthresh=positive.min())
