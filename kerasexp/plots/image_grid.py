"""Images side by side, as every gallery shows them."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from kerasexp.plots.class_labels import verbatim
from kerasexp.plots.style import RED, nothing

# Up to this many pixels a side each is drawn as a square, as it is; smoothing would hide how little there is to see.
MAX_PIXELS = 40
# Longest name that fits over an image of `draw_gallery`, with a probability behind it.
MAX_TITLE = 13
# In inches: a line of text, what is between text and image, and what is around both.
LINE, GAP, PAD = 12 / 72, 6 / 72, 0.045


def new_sheet(width: float, height: float) -> tuple[Figure, Axes]:
    """Return a white figure of this size, and axes all over it that count inches from its upper left corner.

    Axes of its own for each image, and the layout of them all, would take most of a report's time.
    """
    figure = Figure(figsize=(width, height), facecolor="white")
    FigureCanvasAgg(figure)  # can measure texts
    sheet = figure.add_axes((0, 0, 1, 1), xlim=(0, width), ylim=(height, 0))
    sheet.set_axis_off()
    return figure, sheet


def draw_image(
    sheet: Axes, image: np.ndarray, left: float, top: float, side: float, title: str = "", wrong: bool = False
) -> None:
    """Draw an image at the top of a square, with its title above, which is red if something is wrong.

    Args:
        sheet: where to.
        image: uint8 [height, width, 1 or 3], or float of the same shape in 0 to 1.
        left, top, side: of the square.
        title: names in it come from `drawable`.
        wrong: whether the title is red.
    """
    height, width = side * np.array(image.shape[:2]) / max(image.shape[:2])
    middle = left + side / 2
    extent = (middle - width / 2, middle + width / 2, top + height, top)
    look = {"cmap": "gray", "vmin": 0, "vmax": 255 if image.dtype == np.uint8 else 1}
    look["interpolation"] = "nearest" if max(image.shape) <= MAX_PIXELS else "auto"
    sheet.imshow(image.squeeze(-1) if image.shape[-1] == 1 else image, extent=extent, aspect="auto", **look)
    if title:
        write(sheet, middle, top - GAP, title, side + PAD, ha="center", color=RED if wrong else "black")


def write(sheet: Axes, x: float, y: float, text: str, room: float, **look: str) -> None:
    """Write above y, smaller where there is not enough room.

    Args:
        sheet: where to.
        x, y: place of the last line.
        text: names in it come from `drawable`.
        room: how wide it may be.
        look: as for matplotlib's `text`.
    """
    written = sheet.text(x, y, text, fontsize=10, **look, **verbatim(text))
    width = written.get_window_extent().width / sheet.figure.dpi
    written.set_fontsize(10 * room / max(width, room))


def draw_gallery(images: np.ndarray, titles: list[str], wrong: np.ndarray, columns: int = 4) -> Figure:
    """Draw images row by row; say so where there is none.

    Args:
        images: uint8 [n, height, width, 1 or 3].
        titles: one per image.
        wrong: bool [n], whether the title is red.
        columns: images per row.
    """
    if not len(images):
        return nothing("none")
    cell, lines = 1.7, max(title.count("\n") for title in titles) + 1
    height, above = 1.8 + 0.17 * lines, lines * LINE + GAP
    figure, sheet = new_sheet(cell * columns, height * -(-len(images) // columns))
    for k, (image, title, red) in enumerate(zip(images, titles, wrong, strict=True)):
        row, column = divmod(k, columns)
        draw_image(sheet, image, column * cell + PAD, row * height + above, cell - 2 * PAD, title, bool(red))
    return figure
