"""One class against the rest: ROC and precision-recall curves, and the areas under them; scikit-learn's."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

Curve = tuple[np.ndarray, np.ndarray]
# With more classes than `MANY`, about this many curves are kept, among them the `LOWEST`, with at most `FEW_POINTS` each.
MANY, LOWEST = 200, 3
MOST_POINTS, FEW_POINTS = 2**16, 1000


@dataclass(frozen=True)
class OneVsRestCurves:
    """Curves of each class's probability against the rest; undefined for a class that has all or none of the images.

    Of more than `MANY` classes, the curves of about `MANY` are kept: those with the lowest areas, and others evenly by area.

    Attributes:
        roc: per class, false and true positive rates; None where undefined or not kept.
        pr: per class, recall and precision; None where undefined or not kept.
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
        y_true: int64 [n], or uint8 [n, classes] with several labels an image.
        y_score: float [n, classes].
    """
    from sklearn.metrics import auc as area
    from sklearn.metrics import precision_recall_curve, roc_curve

    classes = y_score.shape[1]
    roc: list[Curve | None] = [None] * classes
    pr: list[Curve | None] = [None] * classes
    auc, average_precision = np.full(classes, np.nan), np.full(classes, np.nan)
    for label in range(classes):
        positive = y_true == label if y_true.ndim == 1 else y_true[:, label] > 0
        score = y_score[:, label]
        if positive.all() or not positive.any():
            continue
        false_positive, true_positive, _ = roc_curve(positive, score)
        precision, recall, _ = precision_recall_curve(positive, score)
        roc[label], pr[label] = (false_positive, true_positive), (recall, precision)
        points = FEW_POINTS if classes > MANY else MOST_POINTS
        roc[label], pr[label] = _thinned(roc[label], points), _thinned(pr[label], points)
        # Equal to scikit-learn's own scores, which would sort the images once more for each.
        auc[label] = area(false_positive, true_positive)
        average_precision[label] = -np.sum(np.diff(recall) * precision[:-1])
    if classes > MANY:
        roc, pr = _kept(roc, auc), _kept(pr, average_precision)
    return OneVsRestCurves(roc, pr, auc, average_precision)


def _thinned(curve: Curve, most: int) -> Curve:
    """Return at most `most` points of a curve, with both ends."""
    count = len(curve[0])
    if count <= most:
        return curve
    points = np.linspace(0, count - 1, most).astype(int)
    return curve[0][points], curve[1][points]


def _kept(curves: list[Curve | None], areas: np.ndarray) -> list[Curve | None]:
    """Return the curves of the lowest areas, and others evenly by area; None in place of the rest."""
    ranked = [k for k in np.argsort(areas, kind="stable") if curves[k] is not None]
    evenly = np.linspace(0, len(ranked) - 1, min(MANY, len(ranked))).astype(int)
    kept = {ranked[rank] for rank in (*range(min(LOWEST, len(ranked))), *evenly)}
    return [curve if k in kept else None for k, curve in enumerate(curves)]
