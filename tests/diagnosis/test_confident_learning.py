"""Confident learning."""

import numpy as np
import pytest

from kerasexp.diagnosis.confident_learning import find_label_errors


def test_an_example_by_hand():
    """Thresholds are 0.6 and 0.7; the fourth image is one of class 1 with label 0, the third of none."""
    labels = np.array([0, 0, 0, 0, 1, 1])
    score = np.array([[0.9, 0.1], [0.8, 0.2], [0.5, 0.5], [0.2, 0.8], [0.1, 0.9], [0.5, 0.5]])
    found = find_label_errors(labels, score)
    assert found.positions.tolist() == [3] and found.suggested.tolist() == [1]
    # Of label 0 two count as 0 and one as 1, scaled to four images of six.
    assert found.joint == pytest.approx(np.array([[2 / 3, 1 / 3], [0, 1]]) * [[4 / 6], [2 / 6]])
    assert found.rate == pytest.approx(4 / 18) and found.low <= found.rate <= found.high


@pytest.mark.parametrize("rate", [0.0, 0.1, 0.4])
def test_the_rate_of_noise_is_found(noisy, rate):
    labels, score, wrong = noisy(rate)
    found = find_label_errors(labels, score)
    assert found.rate == pytest.approx(rate, abs=0.02)
    assert found.high - found.low < 0.05
    if rate:
        assert wrong[found.positions].mean() > 0.95 and len(found.positions) > 0.7 * wrong.sum()


def test_the_likeliest_come_first():
    labels = np.zeros(40, int)
    labels[20:] = 1
    score = np.where(labels[:, None] == [0, 1], 0.9, 0.1)
    score[3], score[5] = [0.05, 0.95], [0.01, 0.99]
    assert find_label_errors(labels, score).positions.tolist() == [5, 3]


def test_a_class_without_images_is_suggested_for_none():
    labels = np.repeat([0, 1], 20)
    score = np.full((40, 3), 0.05)
    score[np.arange(40), labels] = 0.3
    score[:, 2] = 0.65
    assert len(find_label_errors(labels, score).positions) == 0
