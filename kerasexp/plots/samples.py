"""Images with what was seen in them."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from kerasexp.plots.class_labels import drawable
from kerasexp.plots.image_grid import MAX_TITLE, draw_gallery

# Runs whose answers fit over an image.
MAX_ANSWERS = 4


def plot_samples(
    images: np.ndarray, y_true: np.ndarray, y_score: np.ndarray, class_names: list[str], columns: int = 4
) -> Figure:
    """Draw images with true class, predicted class and its probability; wrong ones are titled in red.

    Args:
        images: uint8 [n, height, width, 1 or 3].
        y_true: int [n].
        y_score: float [n, classes].
        class_names: in the order of the classes.
        columns: images per row.
    """
    names = drawable(class_names, MAX_TITLE)
    titles = []
    for true, score in zip(y_true, y_score, strict=True):
        predicted = int(score.argmax())
        behind = "" if predicted == true else f"\ntrue: {names[true]}"
        titles.append(f"{names[predicted]}  {score[predicted]:.0%}{behind}")
    return draw_gallery(images, titles, y_score.argmax(axis=1) != y_true, columns)


def plot_disagreements(
    images: np.ndarray, y_true: np.ndarray, y_pred: np.ndarray, confidence: np.ndarray, class_names: list[str]
) -> Figure:
    """Draw images with their class and, a line each, what the first runs take them for.

    Args:
        images: uint8 [n, height, width, 1 or 3].
        y_true: int [n].
        y_pred: int [n, runs].
        confidence: float [n, runs], the probability of what was predicted.
        class_names: in the order of the classes.
    """
    names = drawable(class_names, MAX_TITLE)
    titles = []
    for true, answers, sure in zip(y_true, y_pred, confidence, strict=True):
        said = [f"{names[answer]}  {p:.0%}" for answer, p in zip(answers, sure, strict=True)]
        more = ["…"] if len(said) > MAX_ANSWERS else []
        titles.append("\n".join([f"true: {names[true]}", *said[:MAX_ANSWERS], *more]))
    return draw_gallery(images, titles, np.zeros(len(images), bool))
