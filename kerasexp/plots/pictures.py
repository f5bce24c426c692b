"""Pictures in cells, as every gallery shows them."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from kerasexp.plots.names import verbatim
from kerasexp.plots.style import RED, new_figure, nothing

# Up to this many pixels a side each is drawn as a square, as it is; smoothing would hide how little there is to see.
MAX_PIXELS = 40
# Longest name that fits over a cell of `draw_gallery`, with a probability behind it.
MAX_TITLE = 13


def draw_picture(axes: Axes, image: np.ndarray, title: str = "", wrong: bool = False) -> None:
    """Draw a picture with its title, which is red if something is wrong.

    Args:
        axes: the cell.
        image: uint8 [height, width, 1 or 3], or float of the same shape in 0 to 1.
        title: names in it come from `drawable`.
        wrong: whether the title is red.
    """
    axes.set_axis_off()
    # At the top of the cell, where the layout reckons with the title before it knows the picture's shape.
    axes.set_anchor("N")
    brightest = 255 if image.dtype == np.uint8 else 1
    look = {"cmap": "gray", "vmin": 0, "vmax": brightest}
    smoothing = "nearest" if max(image.shape) <= MAX_PIXELS else "auto"
    axes.imshow(image.squeeze(-1) if image.shape[-1] == 1 else image, interpolation=smoothing, **look)
    axes.set_title(title, fontsize=10, color=RED if wrong else "black", **verbatim(title))


def draw_gallery(images: np.ndarray, titles: list[str], wrong: np.ndarray, columns: int = 4) -> Figure:
    """Draw pictures row by row; say so where there is none.

    Args:
        images: uint8 [n, height, width, 1 or 3].
        titles: one per picture.
        wrong: bool [n], whether the title is red.
        columns: pictures per row.
    """
    if not len(images):
        return nothing("none")
    rows = -(-len(images) // columns)
    lines = max(title.count("\n") for title in titles) + 1
    figure, axes = new_figure(1.7 * columns, (1.8 + 0.17 * lines) * rows, rows, columns)
    for cell in axes[len(images) :]:
        cell.set_axis_off()
    for cell, image, title, red in zip(axes, images, titles, wrong, strict=False):
        draw_picture(cell, image, title, bool(red))
    return figure
