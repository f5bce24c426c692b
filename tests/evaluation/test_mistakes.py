"""Images to inspect."""

import numpy as np

from kerasexp.evaluation.mistakes import confident_mistakes, confused_pairs, sample_predictions
from kerasexp.evaluation.predictions import Predictions


def predicted(*rows: tuple[int, int, float]) -> Predictions:
    """Predictions of three classes from (true, predicted, probability)."""
    score = np.full((len(rows), 3), 0.0)
    for row, (_, label, probability) in zip(score, rows, strict=True):
        row[:] = (1 - probability) / 2
        row[label] = probability
    return Predictions([str(i) for i in range(len(rows))], np.array([r[0] for r in rows]), score, list("oO0"))


def test_the_most_confident_mistakes_come_first():
    made = predicted((0, 0, 0.99), (0, 1, 0.6), (1, 2, 0.9), (2, 0, 0.6))
    assert confident_mistakes(made, 10).tolist() == [2, 1, 3]
    assert confident_mistakes(made, 1).tolist() == [2]
    assert confident_mistakes(predicted((0, 0, 0.9)), 5).tolist() == []


def test_samples_are_correct_then_wrong_and_the_same_for_the_same_seed():
    made = predicted(*[(0, i % 2, 0.7) for i in range(40)])
    first = sample_predictions(made, 4, seed=1)
    assert made.correct[first].tolist() == [True] * 4 + [False] * 4
    assert (
        first.tolist() == sample_predictions(made, 4, seed=1).tolist() != sample_predictions(made, 4, seed=2).tolist()
    )
    assert len(sample_predictions(predicted((0, 0, 0.9)), 4, seed=0)) == 1


def test_confused_pairs_count_both_directions():
    made = predicted(
        (0, 1, 0.6), (0, 1, 0.8), (1, 0, 0.7), (1, 2, 0.9), (2, 1, 0.5), (2, 1, 0.6), (2, 1, 0.7), (0, 0, 0.9), (1, 1, 0.9)
    )  # fmt: skip
    first, second = confused_pairs(made, 5)
    assert (first.first, first.second, first.first_as_second, first.second_as_first) == (2, 1, 3, 1)
    assert first.confused.tolist() == [3, 6, 5, 4]
    assert (first.correct_first.tolist(), first.correct_second.tolist()) == ([], [8])
    assert (second.first, second.second, second.first_as_second, second.second_as_first) == (0, 1, 2, 1)
    assert len(confused_pairs(made, 1)) == 1 and confused_pairs(predicted((0, 0, 0.9)), 3) == []
