"""Features of images in two dimensions."""

from __future__ import annotations

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from kerasexp.plots.style import PALETTE, empty_figure, new_figure
from kerasexp.plots.tick_labels import drawable, text_width, verbatim

MARKERS = "o^"
WIDTH, HEIGHT = 6.6, 5.8


def plot_embedding(
    points: np.ndarray, y_true: np.ndarray, wrong: np.ndarray, class_names: list[str], method: str
) -> Figure:
    """Draw a point per image, coloured by its class and crossed out if it is misclassified.

    Args:
        points: float [n, 2].
        y_true: int [n].
        wrong: bool [n].
        class_names: in the order of the classes.
        method: of the projection: `t-SNE` or `PCA`.
    """
    if not len(points):
        return empty_figure("no images")
    figure, (axes,) = new_figure(WIDTH, HEIGHT)
    for k in np.unique(y_true):
        colour, marker = _colour_and_marker(k, len(class_names))
        axes.scatter(*points[y_true == k].T, s=14, color=colour, marker=marker, linewidth=0)
    if wrong.any():
        axes.scatter(*points[wrong].T, s=22, color="black", marker="x", linewidth=0.9, label="misclassified")
        axes.legend(frameon=False, loc="lower right", bbox_to_anchor=(1, 1), borderpad=0, fontsize=10)
    _name_classes(axes, points, y_true, drawable(class_names, 16))
    # Neighbourhoods are meaningful, coordinates are not.
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_xlabel(f"{method}, first dimension")
    axes.set_ylabel(f"{method}, second dimension")
    return figure


def _colour_and_marker(k: int, classes: int) -> tuple[object, str]:
    if classes <= len(PALETTE) * len(MARKERS):
        return PALETTE[k % len(PALETTE)], MARKERS[k // len(PALETTE)]
    return matplotlib.colormaps["turbo"](k / (classes - 1)), MARKERS[0]


def _name_classes(axes: Axes, points: np.ndarray, y_true: np.ndarray, names: list[str]) -> None:
    """Write each name over its class, shifted up or down where it would cover another, left out without room."""
    few = len(names) <= len(PALETTE) * len(MARKERS)
    size, weight, shifts = (11, "bold", (0, 1, -1, 2, -2)) if few else (8, "normal", (0,))
    line = 1.25 * size / 72
    # The points fill about 85 % of the figure.
    inches = 0.85 * np.array([WIDTH, HEIGHT]) / np.maximum(np.ptp(points, axis=0), 1e-12)
    halo = [withStroke(linewidth=2, foreground="white")]
    written: list[tuple[float, float, float]] = []
    classes, counts = np.unique(y_true, return_counts=True)
    for k in classes[np.argsort(-counts, kind="stable")]:
        # Unlike the mean, the median is not moved by outliers.
        x, y = np.median(points[y_true == k], axis=0) * inches
        width = text_width([names[k]], size)
        for place in (y + shift * line for shift in shifts):
            if all(abs(x - other) > (width + w) / 2 or abs(place - up) >= line for other, up, w in written):
                written.append((x, place, width))
                style = {"fontsize": size, "fontweight": weight, "path_effects": halo, **verbatim(names[k])}
                axes.text(*((x, place) / inches), names[k], ha="center", va="center", **style)
                break
