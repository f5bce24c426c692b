"""Loss, accuracy and learning rate over the epochs."""

from __future__ import annotations

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from kerasexp.plots.style import BLUE, ORANGE, new_figure, plain


def plot_curves(history: list[dict[str, float]]) -> Figure:
    """Draw the curves of train and val.

    Args:
        history: one row per epoch with `epoch`, `loss`, `val_loss`, `accuracy`, `val_accuracy`, `learning_rate`.
    """
    figure, (loss, accuracy, rate) = new_figure(11, 3.4, columns=3)
    epochs = [row["epoch"] for row in history]
    marker = "o" if len(epochs) <= 20 else None
    for axes, metric, title in ((loss, "loss", "Loss"), (accuracy, "accuracy", "Accuracy")):
        for key, name, colour in ((metric, "train", BLUE), (f"val_{metric}", "val", ORANGE)):
            axes.plot(epochs, [row[key] for row in history], color=colour, label=name, marker=marker, markersize=4)
        axes.set_title(title)
        axes.legend(frameon=False)
    rate.plot(epochs, [row["learning_rate"] for row in history], color=BLUE, marker=marker, markersize=4)
    rate.set_title("Learning rate at the epoch's end")
    rate.ticklabel_format(axis="y", style="sci", scilimits=(-2, 2))
    for axes in (loss, accuracy, rate):
        plain(axes)
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    return figure
