"""Which images to look at: some right, some wrong, the most confident mistakes, the most confused classes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kerasexp.evaluation.predictions import Predictions

EXAMPLES, CONFUSED = 2, 4


@dataclass(frozen=True)
class ConfusedPair:
    """Two classes taken for each other, and where to see it.

    Attributes:
        first, second: the classes; more images of `first` are taken for `second` than the other way round.
        first_as_second, second_as_first: how many.
        right_first, right_second: positions of up to two images of each that are recognised.
        confused: positions of up to four images of either that are taken for the other, the most confident first.
    """

    first: int
    second: int
    first_as_second: int
    second_as_first: int
    right_first: np.ndarray
    right_second: np.ndarray
    confused: np.ndarray


def confusion(predictions: Predictions) -> np.ndarray:
    """Return the confusion matrix, int64 [classes, classes]: a row per true class, a column per predicted one."""
    from sklearn.metrics import confusion_matrix

    return confusion_matrix(predictions.y_true, predictions.y_pred, labels=np.arange(len(predictions.class_names)))


def drawn(predictions: Predictions, count: int, seed: int) -> np.ndarray:
    """Return positions of `count` right and `count` wrong predictions, drawn at random; the right ones come first."""
    generator = np.random.default_rng(seed)
    parts = [np.flatnonzero(predictions.correct), np.flatnonzero(~predictions.correct)]
    return np.concatenate([np.sort(generator.permutation(part)[:count]) for part in parts])


def confident_mistakes(predictions: Predictions, count: int) -> np.ndarray:
    """Return positions of the wrong predictions with the highest probability, the highest first.

    They tell most: about the model, or about the label.
    """
    wrong = np.flatnonzero(~predictions.correct)
    return wrong[np.argsort(-predictions.confidence[wrong], kind="stable")][:count]


def confused_pairs(predictions: Predictions, count: int) -> list[ConfusedPair]:
    """Return the pairs of classes with the most mistakes between them, the most first."""
    classes = len(predictions.class_names)
    mistakes = confident_mistakes(predictions, len(predictions))
    true, predicted = predictions.y_true[mistakes], predictions.y_pred[mistakes]
    pair = np.minimum(true, predicted) * classes + np.maximum(true, predicted)
    keys, totals = np.unique(pair, return_counts=True)
    found = []
    for key in keys[np.argsort(-totals, kind="stable")][:count]:
        inside = mistakes[pair == key]
        low, high = divmod(int(key), classes)
        upwards = int(np.sum(predictions.y_true[inside] == low))
        downwards = len(inside) - upwards
        (first, second), counts = (
            ((low, high), (upwards, downwards)) if upwards >= downwards else ((high, low), (downwards, upwards))
        )
        found.append(
            ConfusedPair(
                first, second, *counts, _right(predictions, first), _right(predictions, second), inside[:CONFUSED]
            )
        )
    return found


def _right(predictions: Predictions, label: int) -> np.ndarray:
    return np.flatnonzero(predictions.correct & (predictions.y_true == label))[:EXAMPLES]
