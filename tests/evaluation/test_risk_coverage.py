"""Rejection: the curve by hand, the threshold on val, and what is answered elsewhere."""

from dataclasses import replace

import numpy as np
import pytest

from kerasexp.evaluation.predictions import Predictions
from kerasexp.evaluation.risk_coverage import (
    answered_text,
    curve_of,
    fit_reject_threshold,
    rejection_metrics,
    risk_coverage,
)


def of(confidence: list[float], correct: list[bool]) -> Predictions:
    """Predictions of class a with these probabilities, of images that are an a or not."""
    first = np.array(confidence)
    scores = np.stack([first, 1 - first], axis=1).astype(np.float32)
    return Predictions(
        [str(i) for i in range(len(first))], (~np.array(correct)).astype(int), scores, ["a", "b"], temperature=1.0
    )


def test_the_curve_by_hand():
    curve = risk_coverage(np.array([0.6, 0.9, 0.8, 0.7]), np.array([False, True, False, True]))
    np.testing.assert_allclose(curve.confidence, [0.9, 0.8, 0.7, 0.6])
    np.testing.assert_allclose(curve.coverage, [0.25, 0.5, 0.75, 1])
    np.testing.assert_allclose(curve.error, [0, 1 / 2, 1 / 3, 2 / 4])
    assert curve.area == pytest.approx((0 + 1 / 2 + 1 / 3 + 2 / 4) / 4)


def test_images_of_equal_probability_are_answered_together():
    curve = risk_coverage(np.array([0.9, 0.7, 0.7, 0.7]), np.array([True, False, True, True]))
    np.testing.assert_allclose(curve.coverage, [0.25, 1])
    np.testing.assert_allclose(curve.error, [0, 0.25])


def test_the_threshold_answers_as_many_as_the_error_allows():
    val = of([0.95, 0.9, 0.85, 0.8, 0.6], [True, True, True, False, False])
    assert fit_reject_threshold(val, 0.1) == pytest.approx(0.825)
    # A quarter of four is allowed: the image at 0.8 is answered, the one at 0.6 is not.
    assert fit_reject_threshold(val, 0.25) == pytest.approx(0.7)
    assert fit_reject_threshold(val, 0.4) == 0
    found = rejection_metrics(val, 0.825)
    assert (found["answered"], found["error"], found["images"]) == (0.6, 0, 5)
    assert answered_text(found).startswith("60.0% answered, error 0.0000 (95 % interval 0.0000 to ")


def test_an_error_later_in_the_ranking_does_not_end_the_search():
    """One wrong answer among the first two, and none among the next hundred: nearly all are answered."""
    val = of([0.99, 0.98, *np.linspace(0.97, 0.6, 100)], [True, False, *[True] * 100])
    assert fit_reject_threshold(val, 0.01) == 0


def test_without_any_right_answer_there_is_no_threshold():
    assert fit_reject_threshold(of([0.9, 0.8], [False, True]), 0.01) is None
    nothing = rejection_metrics(of([0.9], [True]), 0.95)
    assert nothing["error"] is None and answered_text(nothing) == "none of 1 images answered"


def test_the_calibrated_probabilities_count(predictions):
    made = replace(predictions(), temperature=3.0)
    np.testing.assert_allclose(curve_of(made).confidence.max(), made.calibrated.confidence.max())
    assert made.calibrated.confidence.max() < made.confidence.max()
