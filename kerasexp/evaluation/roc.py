"""One class against the rest: ROC and precision-recall curves, and the areas under them; scikit-learn's."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

Curve = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class OneVsRestCurves:
    """Curves of each class's probability against the rest; undefined for a class that has all or none of the images.

    Attributes:
        roc: per class, false and true positive rates; None where undefined.
        pr: per class, recall and precision; None where undefined.
        auc: float64 [classes], area under the ROC curve; NaN where undefined.
        average_precision: float64 [classes]; NaN where undefined.
    """

    roc: list[Curve | None]
    pr: list[Curve | None]
    auc: np.ndarray
    average_precision: np.ndarray


def one_vs_rest_curves(y_true: np.ndarray, y_score: np.ndarray) -> OneVsRestCurves:
    """Compute the curves of every class.

    Args:
        y_true: int64 [n].
        y_score: float [n, classes].
    """
    from sklearn.metrics import auc as area
    from sklearn.metrics import precision_recall_curve, roc_curve

    classes = y_score.shape[1]
    roc: list[Curve | None] = [None] * classes
    pr: list[Curve | None] = [None] * classes
    auc, average_precision = np.full(classes, np.nan), np.full(classes, np.nan)
    for label in range(classes):
        positive, score = y_true == label, y_score[:, label]
        if positive.all() or not positive.any():
            continue
        false_positive, true_positive, _ = roc_curve(positive, score)
        precision, recall, _ = precision_recall_curve(positive, score)
        roc[label], pr[label] = (false_positive, true_positive), (recall, precision)
        # Equal to scikit-learn's own scores, which would sort the images once more for each.
        auc[label] = area(false_positive, true_positive)
        average_precision[label] = -np.sum(np.diff(recall) * precision[:-1])
    return OneVsRestCurves(roc, pr, auc, average_precision)
