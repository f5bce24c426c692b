"""Pictures with what was seen in them."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from kerasexp.plots.style import RED, new_figure


def plot_samples(
    images: np.ndarray, y_true: np.ndarray, y_score: np.ndarray, class_names: list[str], columns: int = 4
) -> Figure:
    """Draw pictures with true class, predicted class and its probability; wrong ones are titled in red.

    Args:
        images: uint8 [n, height, width, 1 or 3].
        y_true: int [n].
        y_score: float [n, classes].
        class_names: in the order of the classes.
        columns: pictures per row.
    """
    rows = max(-(-len(images) // columns), 1)
    figure, axes = new_figure(1.9 * columns, 2.3 * rows, rows, columns)
    for cell in axes:
        cell.set_axis_off()
    for cell, image, true, score in zip(axes, images, y_true, y_score, strict=False):
        predicted = int(score.argmax())
        cell.imshow(image.squeeze(-1) if image.shape[-1] == 1 else image, cmap="gray", vmin=0, vmax=255)
        right = predicted == true
        title = f"{class_names[predicted]}  {score[predicted]:.0%}" + ("" if right else f"\ntrue: {class_names[true]}")
        cell.set_title(title, fontsize=10, color="black" if right else RED, parse_math=False)
    return figure
