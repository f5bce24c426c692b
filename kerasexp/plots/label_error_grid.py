"""Images to check: likely wrong labels, duplicates, unusual images."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from kerasexp.plots.image_grid import MAX_TITLE, draw_image_grid
from kerasexp.plots.tick_labels import drawable

COLUMNS = 6


def plot_label_errors(
    images: np.ndarray,
    labels: np.ndarray,
    suggested: np.ndarray,
    probability: np.ndarray,
    class_names: list[str],
) -> Figure:
    """Draw images with their label and the more likely class, in red.

    Args:
        images: uint8 [n, height, width, 1 or 3].
        labels: int [n].
        suggested: int [n], the more likely class.
        probability: float [n], of the suggested class.
        class_names: in the order of the classes.
    """
    # "label: " takes two characters more than a probability.
    names = drawable(class_names, MAX_TITLE - 2)
    titles = [
        f"label: {names[label]}\n{names[other]}  {p:.0%}"
        for label, other, p in zip(labels, suggested, probability, strict=True)
    ]
    return draw_image_grid(images, titles, np.ones(len(images), bool), COLUMNS)


def plot_labelled_images(
    images: np.ndarray,
    splits: list[str],
    labels: np.ndarray,
    wrong: np.ndarray,
    class_names: list[str],
) -> Figure:
    """Draw images with their split and their label.

    Args:
        images: uint8 [n, height, width, 1 or 3].
        splits: one per image.
        labels: int [n].
        wrong: bool [n], whether the title is red.
        class_names: in the order of the classes.
    """
    names = drawable(class_names, MAX_TITLE)
    titles = [f"{split}\n{names[label]}" for split, label in zip(splits, labels, strict=True)]
    return draw_image_grid(images, titles, wrong)
