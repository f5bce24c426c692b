"""Images to inspect: random predictions, the most confident mistakes, the most confused pairs of classes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from kerasexp.evaluation.confusion_counts import Table, contingency_table
from kerasexp.evaluation.predictions import Predictions

EXAMPLES, CONFUSED = 2, 4


@dataclass(frozen=True)
class ConfusedPair:
    """Two classes that are confused with each other, and examples.

    Attributes:
        first, second: the classes; more images of `first` are predicted as `second` than the other way round.
        first_as_second, second_as_first: numbers of these images.
        correct_first, correct_second: positions of up to two correctly classified images of each.
        confused: positions of up to four images of either class predicted as the other, the most confident first.
    """

    first: int
    second: int
    first_as_second: int
    second_as_first: int
    correct_first: np.ndarray
    correct_second: np.ndarray
    confused: np.ndarray


def confusion(predictions: Predictions) -> Table:
    """Return the confusion matrix, int64 [classes, classes]: a row per true class, a column per predicted one."""
    return contingency_table(predictions.y_true, predictions.y_pred, len(predictions.class_names))


def sample_predictions(predictions: Predictions, count: int, seed: int) -> np.ndarray:
    """Return positions of up to `count` correct, then up to `count` wrong predictions, each at random and ascending."""
    generator = np.random.default_rng(seed)
    groups = [np.flatnonzero(predictions.correct), np.flatnonzero(~predictions.correct)]
    return np.concatenate([np.sort(generator.permutation(group)[:count]) for group in groups])


class Scored(Protocol):
    """Predictions of which it is known which are right, and how probable they are."""

    @property
    def correct(self) -> np.ndarray: ...

    @property
    def confidence(self) -> np.ndarray: ...


def confident_mistakes(predictions: Scored, count: int) -> np.ndarray:
    """Return positions of the wrong predictions with the highest probability, the highest first."""
    wrong = np.flatnonzero(~predictions.correct)
    return wrong[np.argsort(-predictions.confidence[wrong], kind="stable")][:count]


def confused_pairs(predictions: Predictions, count: int) -> list[ConfusedPair]:
    """Return the pairs of classes with the most mistakes between them, in descending order."""
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
                first, second, *counts, _correct(predictions, first), _correct(predictions, second), inside[:CONFUSED]
            )
        )
    return found


def _correct(predictions: Predictions, label: int) -> np.ndarray:
    return np.flatnonzero(predictions.correct & (predictions.y_true == label))[:EXAMPLES]
