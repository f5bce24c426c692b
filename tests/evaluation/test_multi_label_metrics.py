"""Metrics, thresholds and intervals of several labels an image, against scikit-learn."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn import metrics as sk

from kerasexp.evaluation import metric_limits as limits
from kerasexp.evaluation import multi_label_intervals as intervals
from kerasexp.evaluation.metrics import compute_metrics
from kerasexp.evaluation.multi_label_intervals import areas, multi_label_intervals
from kerasexp.evaluation.multi_label_predictions import MultiLabelPredictions
from kerasexp.evaluation.predictions_csv import read_outcomes, read_predictions, write_predictions
from kerasexp.evaluation.thresholds import fit_thresholds

NAMES = ["cat", "dog", "a,b", "never"]


def made(count=300, seed=0, absent=True) -> MultiLabelPredictions:
    generator = np.random.default_rng(seed)
    y_true = (generator.random((count, 4)) < (0.5, 0.2, 0.05, 0 if absent else 0.4)).astype(np.uint8)
    y_true[0, :3] = 1
    noise = generator.normal(0, 0.6, (count, 4))
    # Rounded, so that scores are tied.
    y_score = np.round(1 / (1 + np.exp(-3 * (y_true - 0.5 + noise))), 2).astype(np.float32)
    return MultiLabelPredictions(
        [f"{i}.png" for i in range(count)], y_true, y_score, NAMES, thresholds=np.array([0.5, 0.3, 0.7, 0.5])
    )


def test_metrics_are_scikit_learns():
    p = made()
    found, y_pred, there = compute_metrics(p), p.y_score >= p.thresholds, slice(0, 3)
    average = {"zero_division": 0}
    expected = {
        "accuracy": sk.accuracy_score(p.y_true, y_pred),
        "hamming_accuracy": 1 - sk.hamming_loss(p.y_true, y_pred),
        "macro_f1": sk.f1_score(p.y_true[:, there], y_pred[:, there], average="macro", **average),
        "macro_recall": sk.recall_score(p.y_true[:, there], y_pred[:, there], average="macro", **average),
        "macro_precision": sk.precision_score(p.y_true[:, there], y_pred[:, there], average="macro", **average),
        "micro_f1": sk.f1_score(p.y_true, y_pred, average="micro"),
        "micro_precision": sk.precision_score(p.y_true, y_pred, average="micro"),
        "micro_recall": sk.recall_score(p.y_true, y_pred, average="micro"),
        "macro_average_precision": sk.average_precision_score(p.y_true[:, there], p.y_score[:, there], average="macro"),
        "micro_average_precision": sk.average_precision_score(p.y_true, p.y_score, average="micro"),
        "macro_auc": sk.roc_auc_score(p.y_true[:, there], p.y_score[:, there], average="macro"),
    }
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, abs=1e-9), name
    loss = sk.log_loss(p.y_true.ravel(), np.clip(p.y_score.astype(float).ravel(), 1e-7, 1 - 1e-7))
    assert found["loss"] == pytest.approx(loss, abs=1e-7)
    assert found["majority_accuracy"] == np.unique(p.y_true, axis=0, return_counts=True)[1].max() / 300
    for k, name in enumerate(NAMES[:3]):
        row = found["per_class"][name]
        assert row["f1"] == pytest.approx(sk.f1_score(p.y_true[:, k], y_pred[:, k]), abs=1e-9)
        assert row["auc"] == pytest.approx(sk.roc_auc_score(p.y_true[:, k], p.y_score[:, k]), abs=1e-9)
        assert row["f1_low"] < row["f1"] < row["f1_high"] and row["auc_low"] < row["auc"] < row["auc_high"]
        assert (row["support"], row["predicted"]) == (p.y_true[:, k].sum(), y_pred[:, k].sum())
    never = found["per_class"]["never"]
    assert never["support"] == 0 and never["auc"] is None and never["auc_low"] is None and never["f1_high"] is None


def test_nothing_but_right_labels_and_no_label_at_all():
    p = made(absent=False)
    right = replace(p, y_score=p.y_true.astype(np.float32))
    found = compute_metrics(right)
    assert found["accuracy"] == found["hamming_accuracy"] == found["macro_f1"] == found["macro_auc"] == 1
    assert found["macro_f1_low"] == found["macro_average_precision_high"] == 1 and found["loss"] < 1e-6
    empty = replace(p, y_true=np.zeros_like(p.y_true), y_score=np.zeros_like(p.y_score))
    found = compute_metrics(empty)
    assert found["accuracy"] == 1 and "macro_f1" not in found and "macro_auc" not in found


@pytest.mark.parametrize("seed", range(5))
def test_thresholds_have_the_highest_f1_of_all(seed):
    p = made(seed=seed)
    thresholds = fit_thresholds(p.y_true, p.y_score)
    assert thresholds[3] == 0.5  # no image has the label
    for k in range(3):
        true, score = p.y_true[:, k], p.y_score[:, k]
        every = [sk.f1_score(true, score >= t, zero_division=0) for t in np.unique(score)]
        assert sk.f1_score(true, score >= thresholds[k]) == pytest.approx(max(every), abs=1e-12)
    fitted = compute_metrics(replace(p, thresholds=thresholds))
    expected = sk.f1_score(p.y_true, p.y_score >= thresholds, average=None, zero_division=0)
    assert [row["f1"] for row in fitted["per_class"].values()] == pytest.approx(expected.tolist(), abs=1e-9)


def test_a_threshold_lies_between_the_scores_and_near_a_half():
    y_true = np.array([[0], [0], [1], [1]], np.uint8)
    y_score = np.array([[0.1], [0.2], [0.8], [0.9]], np.float32)
    assert fit_thresholds(y_true, y_score) == pytest.approx([0.5])
    one = fit_thresholds(y_true[2:], y_score[2:])
    assert one == pytest.approx([0.4]) and (y_score[2:] >= one).all()


@pytest.mark.parametrize("seed", range(3))
def test_areas_of_weighted_images_are_scikit_learns(seed):
    generator = np.random.default_rng(seed)
    positive, score = generator.random(80) < 0.3, np.round(generator.random(80), 1).astype(np.float32)
    weights = generator.integers(0, 4, (6, 80)).astype(float)
    ((auc, average_precision),) = areas(positive, score, [weights])
    for row, one, other in zip(weights, auc, average_precision, strict=True):
        assert one == pytest.approx(sk.roc_auc_score(positive, score, sample_weight=row), abs=1e-9)
        assert other == pytest.approx(sk.average_precision_score(positive, score, sample_weight=row), abs=1e-9)


def test_intervals_are_those_of_whole_images_drawn_again():
    p = made(count=150)
    found, generator, drawn = multi_label_intervals(p.y_true, p.y_score, p.y_pred), np.random.default_rng(1), []
    for _ in range(400):
        i = generator.integers(0, 150, 150)
        drawn.append(sk.f1_score(p.y_true[i], p.y_pred[i], average="micro"))
    assert found["micro_f1"] == pytest.approx(np.quantile(drawn, (0.025, 0.975)), abs=0.03)
    again = multi_label_intervals(p.y_true, p.y_score, p.y_pred)
    assert all(np.array_equal(found[key], again[key], equal_nan=True) for key in found)


def test_a_label_is_sorted_once_for_many_resamples_and_the_intervals_stay(monkeypatch):
    p, sorts, found = made(count=60), [], {}
    monkeypatch.setattr(limits, "DRAWN_CELLS", 0)  # the fewest resamples, 100
    monkeypatch.setattr(limits, "CHUNK", p.y_true.size)  # one of them at a time
    monkeypatch.setattr(intervals, "areas", lambda *given: sorts.append(given) or areas(*given))
    for together in (1, 50):
        sorts.clear()
        monkeypatch.setattr(intervals, "CHUNK", together * len(p))
        found[together] = multi_label_intervals(p.y_true, p.y_score, p.y_pred)
        assert len(sorts) == 4 * 100 / together
    assert all(np.array_equal(found[1][key], found[50][key], equal_nan=True) for key in found[1])


def test_predictions_are_saved_and_loaded_exactly():
    p = made(absent=False)
    write_predictions(Path("p.csv"), p)
    again = read_predictions(Path("p.csv"), NAMES, p.thresholds)
    assert isinstance(again, MultiLabelPredictions) and again.class_names == NAMES
    assert np.array_equal(again.y_true, p.y_true) and np.array_equal(again.y_score, p.y_score)
    outcomes = read_outcomes(Path("p.csv"), NAMES, multi_label=True)
    assert np.array_equal(outcomes.y_pred, p.y_pred) and np.array_equal(outcomes.correct, p.correct)
    assert compute_metrics(again) == compute_metrics(p)
