"""Calibration of probabilities: reliability, expected calibration error, temperature scaling."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from kerasexp.evaluation.intervals import wilson_interval

if TYPE_CHECKING:
    from kerasexp.evaluation.predictions import Predictions

BINS = 15
# A temperature outside these bounds means that the model has learned nothing, or that val is too small to fit one.
COLDEST, HOTTEST = 0.05, 20.0


@dataclass(frozen=True)
class Reliability:
    """Confidence against accuracy, in bins of equal width over 0..1; float64 [bins], NaN where a bin is empty.

    Attributes:
        confidence: mean probability of the predicted class.
        accuracy: share of correct predictions, with `low` and `high`, its 95 % Wilson interval.
        counts: int64 [bins], predictions in each bin.
        error: the expected calibration error, |accuracy - confidence| weighted by the counts (Guo et al., ICML 2017).
    """

    confidence: np.ndarray
    accuracy: np.ndarray
    low: np.ndarray
    high: np.ndarray
    counts: np.ndarray
    error: float


def reliability(predictions: Predictions) -> Reliability:
    """Bin the predictions by the probability of the predicted class."""
    confidence = predictions.confidence.astype(np.float64)
    bins = np.clip(np.ceil(confidence * BINS).astype(int) - 1, 0, BINS - 1)
    counts = np.bincount(bins, minlength=BINS)
    with np.errstate(invalid="ignore"):
        means = np.bincount(bins, confidence, BINS) / counts
        accuracy = np.bincount(bins, predictions.correct, BINS) / counts
    filled = counts > 0
    error = np.sum(np.abs(accuracy - means)[filled] * counts[filled]) / len(predictions)
    bounds = [wilson_interval(rate, count) if count else (np.nan, np.nan) for rate, count in zip(accuracy, counts)]  # noqa: B905
    low, high = np.array(bounds).T
    return Reliability(means, accuracy, low, high, counts, float(error))


def fit_temperature(predictions: Predictions) -> float:
    """Return the temperature T that minimises the negative log likelihood of softmax(log p / T); fit it on val only.

    It is 1 where every prediction is correct: the likelihood would then grow without end as the temperature falls. It is
    fitted on a sample where there are very many probabilities.
    """
    from scipy.optimize import minimize_scalar

    predictions = predictions.bounded
    if predictions.correct.all():
        return 1.0
    logits, labels = _logits(predictions), predictions.y_true
    rows = np.arange(len(labels))

    def nll(log_temperature: float) -> float:
        scaled = logits / np.exp(log_temperature)
        return float(np.mean(_log_sum_exp(scaled) - scaled[rows, labels]))

    found = minimize_scalar(nll, bounds=(np.log(COLDEST), np.log(HOTTEST)), method="bounded")
    return float(np.exp(found.x))


def at_temperature(predictions: Predictions, temperature: float) -> Predictions:
    """Return the predictions with probabilities softmax(log p / T); no predicted class changes."""
    scaled = _logits(predictions) / temperature
    return replace(predictions, y_score=np.minimum(np.exp(scaled - _log_sum_exp(scaled)[:, np.newaxis]), 1.0))


def _logits(predictions: Predictions) -> np.ndarray:
    """Return log probabilities: the logits up to a constant per image, which softmax ignores."""
    return np.log(np.maximum(predictions.y_score.astype(np.float64), np.finfo(np.float32).tiny))


def _log_sum_exp(values: np.ndarray) -> np.ndarray:
    highest = values.max(axis=1)
    return highest + np.log(np.exp(values - highest[:, np.newaxis]).sum(axis=1))
