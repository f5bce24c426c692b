"""The most confused pairs of classes."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from kerasexp.plots.image_grid import GAP, LINE, PAD, draw_image, new_sheet, write
from kerasexp.plots.style import empty_figure
from kerasexp.plots.tick_labels import drawable

EXAMPLES, CONFUSED = 2, 4
# Cell of an image, in inches.
WIDTH, HEIGHT = 0.95, 1.5
Mistake = tuple[np.ndarray, int, int]
Pair = tuple[int, int, int, int, np.ndarray, np.ndarray, list[Mistake]]


def plot_confused_pairs(pairs: list[Pair], class_names: list[str]) -> Figure:
    """Draw a row per pair of classes: correctly classified examples of both, then confused ones.

    Args:
        pairs: each with the two classes, the number of images of the first predicted as the second and vice versa, correctly
            classified images of each, uint8 [0 to 2, height, width, 1 or 3], and up to 4 mistakes: image, true and predicted
            class.
        class_names: in the order of the classes.
    """
    if not pairs:
        return empty_figure("no mistakes")
    headings, titles = drawable(class_names, 14), drawable(class_names, 8)
    columns, side = 2 * EXAMPLES + CONFUSED, WIDTH - 2 * PAD
    figure, sheet = new_sheet(WIDTH * columns, HEIGHT * len(pairs))
    for row, (a, b, a_as_b, b_as_a, correct_a, correct_b, confused) in enumerate(pairs):
        top = row * HEIGHT + PAD + 2 * LINE + GAP
        first, second = headings[a], headings[b]
        heading = f"{first} predicted as {second}: {a_as_b}, {second} as {first}: {b_as_a}"
        write(sheet, PAD, top - LINE - 1.5 * GAP, heading, WIDTH * columns - 2 * PAD, fontweight="bold")
        for start, name, examples in ((0, titles[a], correct_a), (EXAMPLES, titles[b], correct_b)):
            for column, image in enumerate(examples[:EXAMPLES], start):
                draw_image(sheet, image, column * WIDTH + PAD, top, side, name)
        for column, (image, _, predicted) in enumerate(confused, 2 * EXAMPLES):
            draw_image(sheet, image, column * WIDTH + PAD, top, side, f"as {titles[predicted]}", wrong=True)
    return figure
