"""Number of images of each class."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from kerasexp.plots.style import BLUE, MAX_NAMES, RED, new_figure, plain_axes
from kerasexp.plots.tick_labels import drawable, text_width, tick_rotation, verbatim

# With more classes, separate bars would take minutes to draw.
MAX_BARS = 200


def plot_class_counts(counts: dict[str, np.ndarray], class_names: list[str], noun: str = "images") -> Figure:
    """Draw the number of images of each class, a row of bars per split; a red cross marks a class without images.

    Args:
        counts: split to int [classes].
        class_names: in the order of the classes.
        noun: what is counted; labels, where an image may have several.
    """
    classes = len(class_names)
    names = drawable(class_names, 14)
    named = classes <= MAX_NAMES
    width, size = float(np.clip(3 + 0.2 * classes, 7, 11)), 10 if classes <= 40 else 7
    rotation = tick_rotation(names, size, width - 1)
    below = text_width(names, size) if named and rotation else 0.2
    figure, rows = new_figure(width, 1.8 * len(counts) + 0.3 + below, len(counts))
    for axes, (split, images) in zip(rows, counts.items(), strict=True):
        if classes <= MAX_BARS:
            axes.bar(range(classes), images, width=0.8 if named else 1, color=BLUE)
        else:
            axes.stairs(images, np.arange(classes + 1) - 0.5, fill=True, color=BLUE)
        empty = np.flatnonzero(images == 0)
        if len(empty):
            axes.plot(empty, np.zeros(len(empty)), "x", color=RED, markersize=7, markeredgewidth=1.8, clip_on=False)
        least, most = images.argmin(), images.argmax()
        extremes = f"smallest class {names[least]} ({images[least]:,}), largest {names[most]} ({images[most]:,})"
        each = f"{images[most]:,} of each class"
        title = f"{split}: {images.sum():,} {noun}; {extremes if images[least] < images[most] else each}"
        axes.set_title(title, loc="left", fontsize=10, **verbatim(title))
        axes.set_ylabel("images")
        axes.set_ylim(bottom=0)
        axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))
        plain_axes(axes)
        axes.grid(False, axis="x")
        axes.set_xlim(-0.7, classes - 0.3)
        axes.tick_params(axis="x", labelbottom=axes is rows[-1])
        if named:
            axes.set_xticks(range(classes), names, fontsize=size, rotation=rotation, **verbatim(*names))
    rows[-1].set_xlabel("class" if named else "class number")
    return figure
