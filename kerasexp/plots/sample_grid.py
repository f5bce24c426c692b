"""Images with their predictions."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from kerasexp.plots.image_grid import MAX_TITLE, draw_image_grid
from kerasexp.plots.tick_labels import drawable

# Most runs whose predictions fit over an image.
MAX_RUNS = 4


def plot_samples(images: np.ndarray, y_true: np.ndarray, y_score: np.ndarray, class_names: list[str]) -> Figure:
    """Draw images with true class, predicted class and its probability; titles of wrong predictions are red.

    Args:
        images: uint8 [n, height, width, 1 or 3].
        y_true: int [n].
        y_score: float [n, classes].
        class_names: in the order of the classes.
    """
    names = drawable(class_names, MAX_TITLE)
    titles = []
    for true, score in zip(y_true, y_score, strict=True):
        predicted = int(score.argmax())
        true_line = "" if predicted == true else f"\ntrue: {names[true]}"
        titles.append(f"{names[predicted]}  {score[predicted]:.0%}{true_line}")
    return draw_image_grid(images, titles, y_score.argmax(axis=1) != y_true)


def plot_disagreements(
    images: np.ndarray, y_true: np.ndarray, y_pred: np.ndarray, confidence: np.ndarray, class_names: list[str]
) -> Figure:
    """Draw images with their true class and, a line each, the predictions of the first runs.

    Args:
        images: uint8 [n, height, width, 1 or 3].
        y_true: int [n].
        y_pred: int [n, runs].
        confidence: float [n, runs], the probability of the predicted class.
        class_names: in the order of the classes.
    """
    names = drawable(class_names, MAX_TITLE)
    titles = []
    for true, predicted, probabilities in zip(y_true, y_pred, confidence, strict=True):
        lines = [f"{names[label]}  {p:.0%}" for label, p in zip(predicted, probabilities, strict=True)]
        more = ["…"] if len(lines) > MAX_RUNS else []
        titles.append("\n".join([f"true: {names[true]}", *lines[:MAX_RUNS], *more]))
    return draw_image_grid(images, titles, np.zeros(len(images), bool))
