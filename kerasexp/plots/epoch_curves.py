"""Loss, accuracy and learning rate over the epochs."""

from __future__ import annotations

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from kerasexp.plots.style import BLUE, GREY, ORANGE, new_figure, plain_axes

# A majority line further than this below all accuracies is left out: it would compress the curves.
MAX_GAP = 0.4
# What the accuracy is where images have several labels.
EXACT_MATCH = " Accuracy is the exact match at thresholds of 0.5, before those of the report are fitted."


def plot_curves(history: list[dict[str, float]], majority: float | None = None, kept: int | None = None) -> Figure:
    """Draw the curves of train and val.

    Args:
        history: one row per epoch with `epoch`, `loss`, `val_loss`, `accuracy`, `val_accuracy`, `learning_rate`.
        majority: accuracy of always predicting the largest class.
        kept: epoch whose checkpoint was kept.
    """
    figure, (loss, accuracy, rate) = new_figure(11, 3.4, columns=3)
    epochs = [row["epoch"] for row in history]
    marker = "o" if len(epochs) <= 20 else None
    for axes, metric in ((loss, "loss"), (accuracy, "accuracy")):
        for key, name, colour in ((metric, "train", BLUE), (f"val_{metric}", "val", ORANGE)):
            axes.plot(epochs, [row[key] for row in history], color=colour, label=name, marker=marker, markersize=4)
        axes.set_title(metric.capitalize())
        axes.set_ylabel(metric)
    rate.plot(epochs, [row["learning_rate"] for row in history], color=BLUE, marker=marker, markersize=4)
    rate.set_title("Learning rate at the end of the epoch")
    rate.set_ylabel("learning rate")
    rate.ticklabel_format(axis="y", style="sci", scilimits=(-2, 2))
    lowest = min(row[key] for row in history for key in ("accuracy", "val_accuracy"))
    if majority is not None and lowest - majority < MAX_GAP:
        accuracy.axhline(majority, color=GREY, linestyle=":", label="always the largest class")
    for axes in (loss, accuracy, rate):
        plain_axes(axes)
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        if kept is not None:
            axes.axvline(kept, color=GREY, linewidth=0.9, label="kept checkpoint")
    for axes in (loss, accuracy):
        axes.legend(frameon=False)
    return figure
