"""Calibration of probabilities: reliability, expected calibration error, temperature scaling."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kerasexp.evaluation.intervals import wilson_interval
from kerasexp.evaluation.predictions import Predictions, log_probabilities, log_sum_exp

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

    It is 1 where every prediction is correct: the likelihood would then grow without end as the temperature falls. With very
    many probabilities it is fitted on a sample.
    """
    from scipy.optimize import minimize_scalar

    predictions = predictions.bounded
    if predictions.correct.all():
        return 1.0
    logits, labels = log_probabilities(predictions.y_score), predictions.y_true
    rows = np.arange(len(labels))

    def nll(log_temperature: float) -> float:
        scaled = logits / np.exp(log_temperature)
        return float(np.mean(log_sum_exp(scaled) - scaled[rows, labels]))

    found = minimize_scalar(nll, bounds=(np.log(COLDEST), np.log(HOTTEST)), method="bounded")
    return float(np.exp(found.x))
