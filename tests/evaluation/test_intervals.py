from functools import partial

import numpy as np
import pytest
from scipy.stats import bootstrap, chi2
from sklearn.metrics import f1_score, recall_score

from kerasexp.evaluation.intervals import holm, macro_intervals, mcnemar, paired_interval, wilson_interval


def test_wilson_interval_as_published():
    """Newcombe 1998, table I: 81 of 263 gives 0.2553 to 0.3662."""
    assert wilson_interval(81 / 263, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson_interval(0.0, 0) == (0.0, 1.0)
    assert wilson_interval(1.0, 10)[1] == pytest.approx(1.0)


def test_mcnemar_is_the_exact_binomial_and_near_the_chi_square_one_for_many():
    assert mcnemar(0, 0) == 1.0 and mcnemar(7, 7) == 1.0
    assert mcnemar(0, 6) == pytest.approx(2 / 2**6)
    assert mcnemar(3, 10) == mcnemar(10, 3)
    statistic = (abs(400 - 460) - 1) ** 2 / 860
    assert mcnemar(400, 460) == pytest.approx(chi2.sf(statistic, 1), rel=0.02)


def test_paired_interval_covers_the_truth_as_often_as_it_says():
    """Both right 90 %, only the first 3 %, only the second 5 %, neither 2 %, on 400 images."""
    drawn = np.random.default_rng(0).multinomial(400, [0.9, 0.03, 0.05, 0.02], 2000)
    covered = [low <= 0.02 <= high for low, high in (paired_interval(b, c, 400) for _, b, c, _ in drawn)]
    assert np.mean(covered) == pytest.approx(0.95, abs=0.02)
    low, high = paired_interval(0, 0, 100)
    assert low < 0 < high and low == -high


def test_holm_as_in_his_paper_by_hand():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.9]) == [1.0, 1.0] and holm([0.2]) == [0.2] and holm([]) == []


def test_macro_intervals_agree_with_scipys_bootstrap(predictions):
    made = predictions(count=300, classes=4, seed=3)
    ours = macro_intervals(made.y_true, made.y_pred, 4)
    for key, metric in (("macro_recall", recall_score), ("macro_f1", f1_score)):
        drawn = bootstrap(
            (made.y_true, made.y_pred), partial(metric, average="macro"), paired=True, n_resamples=600, vectorized=False,
            method="percentile", rng=np.random.default_rng(1),
        )  # fmt: skip
        assert ours[key] == pytest.approx(drawn.confidence_interval, abs=0.012)
        assert ours[key][0] < metric(made.y_true, made.y_pred, average="macro") < ours[key][1]


def test_macro_intervals_hold_where_a_draw_misses_classes():
    """With two images of each of 62 classes nearly every draw misses some."""
    y_true = np.repeat(np.arange(62), 2)
    y_pred = np.where(np.arange(124) % 10 == 0, (y_true + 1) % 62, y_true)
    low, high = macro_intervals(y_true, y_pred, 62)["macro_recall"]
    assert low < recall_score(y_true, y_pred, average="macro") < high and high - low < 0.2
