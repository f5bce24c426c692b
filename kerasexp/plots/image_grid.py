"""Grids of images with titles."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from kerasexp.plots.style import RED, empty_figure
from kerasexp.plots.tick_labels import verbatim

# Images up to this many pixels a side are drawn without interpolation, which would hide their low resolution.
MAX_PIXELS = 40
# Longest name that fits over an image of `draw_image_grid`, followed by a probability.
MAX_TITLE = 13
# In inches: height of a line of text, space between text and image, and margin around both.
LINE, GAP, PAD = 12 / 72, 6 / 72, 0.045


def new_sheet(width: float, height: float) -> tuple[Figure, Axes]:
    """Return a white figure of this size, and axes over all of it, in inches from its upper left corner.

    One axes for all images: laying out one for each would take most of the time of a report.
    """
    figure = Figure(figsize=(width, height), facecolor="white")
    FigureCanvasAgg(figure)  # needed to measure texts
    sheet = figure.add_axes((0, 0, 1, 1), xlim=(0, width), ylim=(height, 0))
    sheet.set_axis_off()
    return figure, sheet


def draw_image(
    sheet: Axes, image: np.ndarray, left: float, top: float, side: float, title: str = "", wrong: bool = False
) -> None:
    """Draw an image at the top of a square, with its title above.

    Args:
        sheet: axes of `new_sheet`.
        image: uint8 [height, width, 1 or 3], or float of the same shape in 0 to 1.
        left, top, side: of the square.
        title: names in it come from `drawable`.
        wrong: whether the title is red.
    """
    height, width = side * np.array(image.shape[:2]) / max(image.shape[:2])
    middle = left + side / 2
    extent = (middle - width / 2, middle + width / 2, top + height, top)
    style = {"cmap": "gray", "vmin": 0, "vmax": 255 if image.dtype == np.uint8 else 1}
    style["interpolation"] = "nearest" if max(image.shape) <= MAX_PIXELS else "auto"
    sheet.imshow(image.squeeze(-1) if image.shape[-1] == 1 else image, extent=extent, aspect="auto", **style)
    if title:
        write(sheet, middle, top - GAP, title, side + PAD, ha="center", color=RED if wrong else "black")


def write(sheet: Axes, x: float, y: float, text: str, room: float, **style: str) -> None:
    """Write text above y, in a smaller font if it would be wider than `room`.

    Args:
        sheet: axes of `new_sheet`.
        x, y: position of the last line.
        text: names in it come from `drawable`.
        room: greatest width.
        style: as for matplotlib's `text`.
    """
    written = sheet.text(x, y, text, fontsize=10, **style, **verbatim(text))
    width = written.get_window_extent().width / sheet.figure.dpi
    written.set_fontsize(10 * room / max(width, room))


def draw_image_grid(
    images: np.ndarray, titles: list[str], wrong: np.ndarray, columns: int = 4, below: bool = False
) -> Figure:
    """Draw images row by row, or the word "none".

    Args:
        images: uint8 [n, height, width, 1 or 3].
        titles: one per image.
        wrong: bool [n], whether the title is red.
        columns: images per row.
        below: whether titles are written below the images.
    """
    if not len(images):
        return empty_figure("none")
    cell, lines = 1.7, max(title.count("\n") for title in titles) + 1
    height, above = 1.8 + 0.17 * lines, lines * LINE + GAP
    figure, sheet = new_sheet(cell * columns, height * -(-len(images) // columns))
    for k, (image, title, red) in enumerate(zip(images, titles, wrong, strict=True)):
        row, column = divmod(k, columns)
        left, top, side = column * cell + PAD, row * height + (PAD if below else above), cell - 2 * PAD
        draw_image(sheet, image, left, top, side, "" if below else title, bool(red))
        if below:
            end = top + side + LINE * (title.count("\n") + 1)
            write(sheet, left + side / 2, end, title, cell - PAD, ha="center", color=RED if red else "black")
    return figure
