"""Images with their predicted labels, what is wrong in them, and labels to check."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from kerasexp.plots.image_grid import draw_image_grid
from kerasexp.plots.tick_labels import drawable

# Longest line over an image, longest name in it, and most lines.
LINE, NAME, LINES = 22, 10, 4
COLUMNS = 6


def plot_label_sets(images: np.ndarray, y_true: np.ndarray, y_pred: np.ndarray, class_names: list[str]) -> Figure:
    """Draw images with their predicted labels, then the missing ones after `−` and the wrong ones after `+`; in red if any.

    Args:
        images: uint8 [n, height, width, 1 or 3].
        y_true, y_pred: bool [n, classes].
        class_names: in the order of the classes.
    """
    names, y_true = drawable(class_names, NAME), y_true.astype(bool)
    titles = []
    for true, predicted in zip(y_true, y_pred, strict=True):
        lines = _lines("", [names[k] for k in np.flatnonzero(true & predicted)] or ["–"])
        lines += _lines("− ", [names[k] for k in np.flatnonzero(true & ~predicted)])
        lines += _lines("+ ", [names[k] for k in np.flatnonzero(~true & predicted)])
        titles.append("\n".join(lines))
    return draw_image_grid(images, titles, (y_true != y_pred).any(axis=1))


def plot_label_doubts(
    images: np.ndarray, labels: list[int], given: list[bool], probability: list[float], class_names: list[str]
) -> Figure:
    """Draw images with a label that is likely wrong, and its probability.

    Args:
        images: uint8 [n, height, width, 1 or 3].
        labels: the doubtful label of each.
        given: whether the image has it.
        probability: of the label.
        class_names: in the order of the classes.
    """
    names = drawable(class_names, NAME)
    titles = [
        f"{'has' if has else 'lacks'} {names[label]}\n{p:.1%} likely"
        for label, has, p in zip(labels, given, probability, strict=True)
    ]
    return draw_image_grid(images, titles, np.ones(len(images), bool), COLUMNS)


def _lines(sign: str, names: list[str]) -> list[str]:
    """Return the names in lines of bounded length, each after the sign; those of too many are counted."""
    lines: list[str] = []
    for number, name in enumerate(names):
        if lines and len(lines[-1]) + len(name) + 2 <= LINE:
            lines[-1] += f", {name}"
        elif len(lines) == LINES:
            return [*lines[:-1], f"{lines[-1]}, … {len(names) - number} more"]
        else:
            lines.append(f"{sign}{name}")
    return lines
