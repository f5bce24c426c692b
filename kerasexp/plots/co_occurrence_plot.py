"""Which labels images have together, by the data and by the predictions."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from kerasexp.plots.style import MAX_NAMES, new_figure
from kerasexp.plots.tick_labels import drawable, text_width, tick_rotation, verbatim

# Most classes with readable numbers in the cells.
MAX_NUMBERS = 14


def plot_co_occurrence(
    true_with_true: np.ndarray, true_with_predicted: np.ndarray, support: np.ndarray, class_names: list[str]
) -> Figure:
    """Draw two tables, in percent of the images of a row's label: those that have a column's label, and are predicted to.

    Args:
        true_with_true, true_with_predicted: int [classes, classes], number of images.
        support: int [classes], images of each label.
        class_names: in the order of the classes.
    """
    classes = len(class_names)
    names = drawable(class_names)
    side, size = float(np.clip(1.0 + 0.36 * classes, 2.4, 6.2)), float(np.clip(330 / classes, 4, 10))
    rotation = tick_rotation(names, size, side)
    beside = text_width(names, size) if classes <= MAX_NAMES else 0.2
    figure, panels = new_figure(2 * side + 1.4 + beside, side + 0.8 + (beside if rotation else 0.2), columns=2)
    tables = (true_with_true, "images that have both"), (true_with_predicted, "predicted as the column")
    for axes, (table, title) in zip(panels, tables, strict=True):
        image = _draw(axes, table / np.maximum(support, 1)[:, np.newaxis], classes)
        axes.set_title(title, fontsize=10)
        axes.set_xlabel("label" if axes is panels[0] else "predicted label")
        if classes <= MAX_NAMES:
            axes.set_xticks(range(classes), names, fontsize=size, rotation=rotation, **verbatim(*names))
            axes.set_yticks(range(classes), names if axes is panels[0] else [""] * classes, fontsize=size)
            for tick, name in zip(axes.get_yticklabels(), names, strict=True):
                tick.set(**verbatim(name))
    panels[0].set_ylabel("true label" if classes <= MAX_NAMES else "true label, by class number")
    figure.colorbar(image, ax=panels, shrink=0.8, label="share of the images of the row")
    return figure


def _draw(axes: Axes, shares: np.ndarray, classes: int):
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, interpolation="nearest")
    if classes <= MAX_NUMBERS:
        for row, column in np.argwhere(shares):
            colour = "white" if shares[row, column] > 0.6 else "black"
            axes.text(
                column, row, f"{100 * shares[row, column]:.0f}", ha="center", va="center", fontsize=7, color=colour
            )
    return image
