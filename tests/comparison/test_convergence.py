import numpy as np
import pytest

from kerasexp.comparison.convergence_comparison import convergence


def curve(steps, accuracy):
    steps = np.array(steps, float)
    return {"step": steps, "seconds": steps / 10, "val_accuracy": np.array(accuracy, float)}


def test_shares_are_of_the_best_of_all_runs():
    best, (fast, slow) = convergence([curve([0, 10, 20], [0.1, 0.96, 1.0]), curve([0, 10, 20], [0.1, 0.5, 0.91])])
    assert best == 1.0
    assert fast.reached == {0.90: (10, 1.0), 0.95: (10, 1.0), 0.98: (20, 2.0), 0.99: (20, 2.0)}
    assert slow.reached == {0.90: (20, 2.0), 0.95: None, 0.98: None, 0.99: None}


def test_area_is_over_the_steps_that_all_have():
    _, (long, short) = convergence([curve([0, 10, 30], [0.0, 1.0, 1.0]), curve([5, 20], [0.5, 0.5])])
    assert short.area == pytest.approx(0.5)
    # From step 5 (0.5) to 10 (1.0) and on to 20: (0.75 * 5 + 10) / 15.
    assert long.area == pytest.approx(13.75 / 15)


def test_falls_and_single_records():
    _, (wild, lone) = convergence([curve([1, 2, 3, 4], [0.5, 0.9, 0.6, 0.7]), curve([9], [0.4])])
    assert wild.biggest_drop == pytest.approx(0.3) and lone.biggest_drop == 0.0
    assert wild.area is None and lone.area is None


def test_a_missing_accuracy_is_no_best():
    best, (found,) = convergence([curve([1, 2, 3], [0.5, float("nan"), 0.7])])
    assert best == 0.7 and found.reached[0.99] == (3, 0.3)
