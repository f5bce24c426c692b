import numpy as np
import pytest

from kerasexp.evaluation.calibration import fit_temperature, reliability
from kerasexp.evaluation.predictions import Predictions, at_temperature


def sure(temperature: float, count: int = 20000) -> Predictions:
    """Predictions whose labels are drawn from their own probabilities, then sharpened by a temperature below 1."""
    generator = np.random.default_rng(0)
    logits = generator.normal(0, 2, (count, 5))
    true = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = (true.cumsum(axis=1) > generator.random((count, 1))).argmax(axis=1)
    sharp = np.exp(logits / temperature)
    score = (sharp / sharp.sum(axis=1, keepdims=True)).astype(np.float32)
    return Predictions([str(i) for i in range(count)], labels, score, list("abcde"))


def test_the_temperature_that_spoiled_the_probabilities_is_found_and_mends_them():
    honest, spoiled = sure(1.0), sure(0.4)
    assert reliability(honest).error < 0.02
    assert reliability(spoiled).error > 0.1
    temperature = fit_temperature(spoiled)
    assert temperature == pytest.approx(1 / 0.4, rel=0.03)
    mended = at_temperature(spoiled, temperature)
    assert reliability(mended).error < 0.02
    np.testing.assert_array_equal(mended.y_pred, spoiled.y_pred)
    np.testing.assert_allclose(mended.y_score, honest.y_score, atol=0.01)


def test_calibration_error_by_hand():
    """Two predictions of 0.9, one right; two of 0.55, both right: (2 * 0.4 + 2 * 0.45) / 4."""
    score = np.array([[0.9, 0.1], [0.9, 0.1], [0.55, 0.45], [0.55, 0.45]])
    made = Predictions(list("wxyz"), np.array([0, 1, 0, 0]), score, ["a", "b"])
    bins = reliability(made)
    assert bins.error == pytest.approx(0.425)
    filled = bins.counts > 0
    assert bins.counts[filled].tolist() == [2, 2] and bins.confidence[filled] == pytest.approx([0.55, 0.9])
    assert np.isnan(bins.accuracy[~filled]).all() and bins.low[filled][1] < 0.5 < bins.high[filled][1]


def test_certainty_and_impossibility_are_numbers_still():
    score = np.array([[1.0, 0.0], [1.0, 0.0]], np.float32)
    made = Predictions(["x", "y"], np.array([0, 0]), score, ["a", "b"])
    assert fit_temperature(made) == 1.0
    assert np.isfinite(at_temperature(made, 20.0).y_score).all()
    assert reliability(made).counts[-1] == 2
