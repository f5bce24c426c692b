"""One class against all others: ROC and precision-recall curves, and the areas below them; scikit-learn's."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kerasexp.evaluation.predictions import Predictions

Curve = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Ranking:
    """How well each class's probability ranks the images.

    Attributes:
        roc: per class, false and true positive rates; None for a class that has all or none of the images.
        pr: per class, recall and precision; None likewise.
        auc: float64 [classes], area below the ROC curve; NaN where there is none.
        average_precision: float64 [classes]; NaN likewise.
    """

    roc: list[Curve | None]
    pr: list[Curve | None]
    auc: np.ndarray
    average_precision: np.ndarray


def rank(predictions: Predictions) -> Ranking:
    """Compute the curves of every class."""
    from sklearn.metrics import auc as area
    from sklearn.metrics import precision_recall_curve, roc_curve

    classes = len(predictions.class_names)
    roc: list[Curve | None] = [None] * classes
    pr: list[Curve | None] = [None] * classes
    auc, average_precision = np.full(classes, np.nan), np.full(classes, np.nan)
    for label in range(classes):
        here, score = predictions.y_true == label, predictions.y_score[:, label]
        if here.all() or not here.any():
            continue
        false_positive, true_positive, _ = roc_curve(here, score)
        precision, recall, _ = precision_recall_curve(here, score)
        roc[label], pr[label] = (false_positive, true_positive), (recall, precision)
        # As scikit-learn's own scores have it, which would sort the images once more for each.
        auc[label] = area(false_positive, true_positive)
        average_precision[label] = -np.sum(np.diff(recall) * precision[:-1])
    return Ranking(roc, pr, auc, average_precision)
