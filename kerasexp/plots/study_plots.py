"""The variants of a study side by side, over seeds."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from kerasexp.plots.style import BLUE, GREY, ORANGE, PALETTE, new_figure, plain_axes
from kerasexp.plots.tick_labels import add_legend, drawable, verbatim

STYLES = ("-", "--", "-.", ":")
MARKERS = {"train": ("s", GREY, -0.22), "val": ("^", ORANGE, 0.0), "test": ("o", BLUE, 0.22)}


def plot_study_accuracies(
    names: list[str], measured: dict[str, list[list[float]]], reported: dict[str, list[float | None]]
) -> Figure:
    """Draw train, val and test accuracy of each variant: the mean, each seed (faint), and the paper's value (diamond).

    Args:
        names: of the variants, from top to bottom.
        measured: for `train`, `val` and `test`, the accuracy of each seed of each variant.
        reported: for the same splits, the paper's accuracy of each variant, or None.
    """
    figure, (axes,) = new_figure(7.5, 1.6 + 0.5 * len(names))
    places, handles, labels, paper = np.arange(len(names)), [], [], []
    for split, (marker, colour, shift) in MARKERS.items():
        means = [np.mean(values) if values else np.nan for values in measured[split]]
        handles += axes.plot(means, places + shift, marker, color=colour, markersize=6)
        labels.append(f"{split}, mean")
        for place, values in zip(places, measured[split], strict=True):
            axes.plot(values, [place + shift] * len(values), marker, color=colour, alpha=0.35, markersize=4)
        known = [
            (value, place + shift) for place, value in zip(places, reported[split], strict=True) if value is not None
        ]
        if known:
            paper = axes.plot(*zip(*known, strict=True), "D", color=colour, fillstyle="none", markersize=8)
    shown = drawable(names, 32)
    axes.set_yticks(places, shown, **verbatim(*shown))
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set_xlabel("accuracy")
    plain_axes(axes)
    labels += ["paper"] * len(paper)
    add_legend(figure, handles + paper, labels, loc="outside upper center", ncols=4, frameon=False)
    return figure


def plot_study_curves(names: list[str], curves: list[list[dict[str, np.ndarray]]]) -> Figure:
    """Draw accuracy and loss on val after each epoch: each variant's mean over seeds, with a band from lowest to highest.

    If seeds stop at different epochs, the mean of an epoch is over those that reached it.

    Args:
        names: of the variants.
        curves: for each variant, the histories of its seeds, with `epoch`, `val_accuracy` and `val_loss`, float [epochs].
    """
    figure, panels = new_figure(10.5, 4.2 + 0.18 * len(names), columns=2)
    for axes, metric in zip(panels, ("val_accuracy", "val_loss"), strict=True):
        lines = []
        for k, histories in enumerate(curves):
            colour, style = PALETTE[k % len(PALETTE)], STYLES[k // len(PALETTE) % len(STYLES)]
            epochs = np.arange(1, max((len(h["epoch"]) for h in histories), default=0) + 1)
            values = np.full((max(len(histories), 1), len(epochs)), np.nan)
            for row, history in zip(values, histories, strict=False):
                row[: len(history[metric])] = history[metric]
            # Seeds that stopped earlier are left out. At least one reached each epoch.
            mean, low, high = (f(values, axis=0) if histories else epochs for f in (np.nanmean, np.nanmin, np.nanmax))
            marker = "." if len(epochs) <= 20 else None
            lines += axes.plot(epochs, mean, color=colour, linestyle=style, marker=marker)
            axes.fill_between(epochs, low, high, color=colour, alpha=0.15, linewidth=0)
        plain_axes(axes)
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.set_xlabel("epoch")
        axes.set_ylabel(metric.replace("val_", "") + " on val")
    add_legend(figure, lines, drawable(names, 40), loc="outside upper center", ncols=3, frameon=False)
    return figure
