"""The classes that are taken for each other most."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from kerasexp.plots.names import drawable, verbatim
from kerasexp.plots.pictures import draw_picture
from kerasexp.plots.style import new_figure, nothing

EXAMPLES, CONFUSED = 2, 4
# A line of each title makes room for the heading, which must not widen the cell it stands over.
BELOW_HEADING = " \n"
Mistake = tuple[np.ndarray, int, int]
Pair = tuple[int, int, int, int, np.ndarray, np.ndarray, list[Mistake]]


def plot_confused_pairs(pairs: list[Pair], class_names: list[str]) -> Figure:
    """Draw a row per pair of classes: examples of both that were recognised, then those taken for the other.

    Args:
        pairs: each the two classes, how many of the first were taken for the second and of the second for the first,
            recognised pictures of either, uint8 [0 to 2, height, width, 1 or 3], and up to 4 mistakes: picture, true and
            predicted class.
        class_names: in the order of the classes.
    """
    if not pairs:
        return nothing("no mistakes")
    headings, titles = drawable(class_names, 14), drawable(class_names, 8)
    columns = 2 * EXAMPLES + CONFUSED
    figure, axes = new_figure(0.95 * columns, 1.5 * len(pairs), len(pairs), columns)
    for cell in axes:
        cell.set_axis_off()
    for row, (a, b, a_as_b, b_as_a, right_a, right_b, confused) in enumerate(pairs):
        cells = axes[row * columns : (row + 1) * columns]
        if not len(right_a) and confused:
            # The heading stands over the first cell, which without a picture would have another height.
            cells[0].set_box_aspect(confused[0][0].shape[0] / confused[0][0].shape[1])
        for first, name, examples in ((0, titles[a], right_a), (EXAMPLES, titles[b], right_b)):
            for cell, image in zip(cells[first:], examples[:EXAMPLES], strict=False):
                draw_picture(cell, image, BELOW_HEADING + name)
        for cell, (image, _, predicted) in zip(cells[2 * EXAMPLES :], confused, strict=False):
            draw_picture(cell, image, f"{BELOW_HEADING}as {titles[predicted]}", wrong=True)
        heading = f"{headings[a]} / {headings[b]}: {a_as_b} as {headings[b]}, {b_as_a} as {headings[a]}"
        look = {"fontsize": 10, "fontweight": "bold", "in_layout": False, **verbatim(heading)}
        cells[0].annotate(heading, (0, 1), (0, 21), xycoords="axes fraction", textcoords="offset points", **look)
    return figure
