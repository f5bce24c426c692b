"""Metrics estimated from complementary labels, which name a class that the image is NOT."""

from __future__ import annotations

from typing import Any

import numpy as np

from kerasexp.evaluation.intervals import wilson_interval
from kerasexp.evaluation.predictions import Predictions

EPSILON = 1e-7


def complementary_metrics(predictions: Predictions) -> dict[str, Any]:
    """Return `images`, the estimated `accuracy` with its 95 % interval, and `loss`, the mean of -log(1 - p_c).

    A wrong prediction equals the excluded class c in one of K - 1 cases if c is uniform over the wrong classes. So K - 1
    times the share of hits estimates the error (Ishida et al., NeurIPS 2017); Wilson's interval of the share gives its
    uncertainty.

    Args:
        predictions: with the excluded classes as `y_true`.
    """
    count, classes = len(predictions), len(predictions.class_names)
    hits = float(np.mean(predictions.y_pred == predictions.y_true))
    accuracy, high, low = (max(1 - (classes - 1) * rate, 0.0) for rate in (hits, *wilson_interval(hits, count)))
    excluded = predictions.y_score[np.arange(count), predictions.y_true].astype(np.float64)
    return {
        "images": count,
        "accuracy": accuracy,
        "accuracy_low": low,
        "accuracy_high": high,
        "loss": float(-np.log(np.maximum(1 - excluded, EPSILON)).mean()),
    }
