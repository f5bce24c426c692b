"""Answers and rejections: with a threshold on the probability, fewer images get a class, and fewer of the classes are wrong."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from kerasexp.evaluation.intervals import wilson_interval
from kerasexp.evaluation.predictions import Predictions


@dataclass(frozen=True)
class RiskCoverage:
    """The share of images that are answered, and the error on them, as the threshold falls (El-Yaniv & Wiener, JMLR 2010).

    Attributes:
        confidence: float64 [k], the distinct probabilities of predicted classes, descending: thresholds at which images of
            this probability, and of higher ones, are answered.
        coverage: float64 [k], share of all images that are answered.
        error: float64 [k], share of wrong ones among these.
        area: mean error over the shares answered, the area under the curve; 0 is best.
    """

    confidence: np.ndarray
    coverage: np.ndarray
    error: np.ndarray
    area: float


def risk_coverage(confidence: np.ndarray, correct: np.ndarray) -> RiskCoverage:
    """Return the curve of predictions.

    Args:
        confidence: float [n], probability of the predicted class.
        correct: bool [n].
    """
    order = np.argsort(-confidence, kind="stable")
    falling, wrong = confidence[order].astype(np.float64), np.cumsum(~correct[order])
    # Images of equal probability are answered together.
    last = np.append(np.flatnonzero(np.diff(falling)), len(falling) - 1)
    answered = last + 1
    error = wrong[last] / answered
    area = float(np.sum(error * np.diff(answered, prepend=0)) / len(falling))
    return RiskCoverage(falling[last], answered / len(falling), error, area)


def curve_of(predictions: Predictions) -> RiskCoverage:
    """Return the curve of predictions by their calibrated probabilities."""
    calibrated = predictions.calibrated
    return risk_coverage(calibrated.confidence, calibrated.correct)


def fit_reject_threshold(val: Predictions, error: float) -> float | None:
    """Return the probability below which an image is not answered, so that most are and at most `error` of these are wrong.

    It lies in the middle between the last probability that is answered and the first that is not.

    Returns:
        0 where no image need be rejected; None where even the most probable classes are wrong too often.
    """
    curve = curve_of(val)
    allowed = np.flatnonzero(curve.error <= error)
    if len(allowed) == 0:
        return None
    last = int(allowed[-1])
    if last == len(curve.error) - 1:
        return 0.0
    return float((curve.confidence[last] + curve.confidence[last + 1]) / 2)


def rejection_metrics(predictions: Predictions, threshold: float) -> dict[str, Any]:
    """Return the share of images answered at a threshold, and the error on them with its 95 % Wilson interval."""
    calibrated = predictions.calibrated
    answered = calibrated.confidence >= threshold
    count = int(answered.sum())
    found: dict[str, Any] = {"images": len(calibrated), "answered": count / len(calibrated)}
    if count == 0:
        return {**found, "error": None, "error_low": None, "error_high": None}
    error = float(1 - calibrated.correct[answered].mean())
    low, high = wilson_interval(error, count)
    return {**found, "error": error, "error_low": low, "error_high": high}


def answered_text(found: dict[str, Any]) -> str:
    """Return what `rejection_metrics` found, as text."""
    if found["error"] is None:
        return f"none of {found['images']:,} images answered"
    interval = f"95 % interval {found['error_low']:.4f} to {found['error_high']:.4f}"
    return f"{found['answered']:.1%} answered, error {found['error']:.4f} ({interval})"
