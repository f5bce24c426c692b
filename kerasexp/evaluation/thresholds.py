"""The threshold of each label, fitted on val: the one with the highest F1."""

from __future__ import annotations

import numpy as np

from kerasexp.saving.fitted_values import DEFAULT_THRESHOLD


def fit_thresholds(y_true: np.ndarray, y_score: np.ndarray) -> np.ndarray:
    """Return the thresholds, float64 [classes]: 0.5 for a label that no image has.

    Args:
        y_true: uint8 [n, classes] of 0 and 1.
        y_score: float32 [n, classes], probabilities.
    """
    columns = zip(y_true.T, y_score.T, strict=True)
    return np.array([_best_threshold(true, score) if true.any() else DEFAULT_THRESHOLD for true, score in columns])


def _best_threshold(true: np.ndarray, score: np.ndarray) -> float:
    """Return the threshold with the highest F1, halfway to the next lower score; of equals, the nearest to 0.5."""
    from sklearn.metrics import precision_recall_curve

    precision, recall, scores = precision_recall_curve(true, score)
    scores = scores.astype(np.float64)
    # The last point of the curve, without predictions, has no threshold.
    f1 = 2 * precision[:-1] * recall[:-1] / np.maximum(precision[:-1] + recall[:-1], np.finfo(float).tiny)
    middles = (scores + np.append(0.0, scores[:-1])) / 2
    # Rounding gives equal F1 different last digits.
    best = np.flatnonzero(f1 >= f1.max() - 1e-12)
    return float(middles[best[np.abs(middles[best] - DEFAULT_THRESHOLD).argmin()]])
