"""Statistics over seeds."""

import numpy as np
import pytest
from scipy.stats import permutation_test, t

from kerasexp.studies.seed_statistics import differences_from_first, sign_flip, spread


def test_the_interval_of_a_mean_is_students():
    values = [0.91, 0.93, 0.95, 0.90]
    found = spread(values)
    low, high = t.interval(0.95, 3, np.mean(values), np.std(values, ddof=1) / 2)
    np.testing.assert_allclose(
        [found.mean, found.sd, found.low, found.high], [0.9225, np.std(values, ddof=1), low, high]
    )


def test_one_seed_has_no_spread():
    assert (spread([0.9]).sd, spread([0.9]).low, spread([0.9]).count) == (None, None, 1)


def test_the_sign_flip_test_is_scipys_paired_permutation_test():
    differences = np.random.default_rng(3).normal(0.3, 1, 9)
    theirs = permutation_test(
        (differences, np.zeros(9)), lambda a, b: np.mean(a - b), permutation_type="samples", n_resamples=np.inf
    )
    assert sign_flip(differences) == pytest.approx(theirs.pvalue)


@pytest.mark.parametrize(("pairs", "lowest"), [(1, 1.0), (3, 0.25), (5, 0.0625), (6, 0.03125)])
def test_few_pairs_cannot_reach_a_low_p(pairs, lowest):
    assert sign_flip([0.1] * pairs) == lowest


def test_many_pairs_are_flipped_at_random_with_a_fixed_seed():
    differences = np.random.default_rng(0).normal(0.5, 1, 40)
    assert 0 < sign_flip(differences) == sign_flip(differences) < 0.05
    assert sign_flip(np.zeros(20)) == 1


def seeds(*values: float) -> dict[int, float]:
    return dict(enumerate(values))


def test_differences_are_paired_by_seed():
    found = differences_from_first({"a": seeds(0.5, 0.6, 0.7), "b": {2: 0.75, 1: 0.65, 9: 0.1}})
    assert found["a"] is None
    assert found["b"].spread.count == 2 and found["b"].spread.mean == pytest.approx(0.05)


@pytest.mark.parametrize(
    ("other", "verdict"),
    [
        ([0.9 + 0.001 * k for k in range(8)], "better, by the sign-flip test over 8 seeds"),
        ([0.1 + 0.001 * k for k in range(8)], "worse, by the sign-flip test over 8 seeds"),
        ([0.5 + 0.01 * (-1) ** k for k in range(8)], "no difference can be claimed at 8 seeds"),
        ([0.5, 0.51, 0.495], "no difference can be claimed at 3 seeds"),
        (
            [0.9, 0.91, 0.905],
            "no difference can be claimed at 3 seeds by the sign-flip test, which needs more; above by",
        ),
        ([0.5, 0.5, 0.5], "no difference can be claimed at 3 seeds"),
        ([0.9], "one seed cannot distinguish a difference from chance"),
    ],
)
def test_the_verdict_follows_from_the_tests(other, verdict):
    found = differences_from_first({"a": seeds(*[0.5] * len(other)), "b": seeds(*other)})["b"]
    assert found.verdict.startswith(verdict)
    assert found.verdict == verdict or "which needs more" in verdict


def test_more_comparisons_need_smaller_p_values():
    better = seeds(*[0.9 + 0.001 * k for k in range(6)])
    one = differences_from_first({"a": seeds(*[0.5] * 6), "b": better})
    many = differences_from_first({"a": seeds(*[0.5] * 6), **{str(k): better for k in range(4)}})
    assert one["b"].p_value == pytest.approx(2 / 64) and many["0"].p_value == pytest.approx(4 * 2 / 64)
    assert one["b"].verdict.startswith("better") and many["0"].verdict.startswith("no difference")


def test_a_variant_without_runs_is_left_out():
    found = differences_from_first({"a": {}, "b": seeds(0.5)})
    assert found == {"a": None, "b": None}
    assert differences_from_first({"a": seeds(0.5), "b": {}, "c": seeds(0.6)})["b"] is None
