"""Metrics of a split."""

import csv
import io
import tempfile
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn import metrics as sk

from kerasexp.evaluation.metrics import METRICS, compute_metrics
from kerasexp.evaluation.predictions import Predictions
from kerasexp.evaluation.predictions_csv import write_predictions


def table(made: Predictions):
    """Return true labels, predicted labels and probabilities as read from predictions.csv."""
    with tempfile.TemporaryDirectory() as folder:
        write_predictions(Path(folder, "p.csv"), made)
        rows = list(csv.DictReader(io.StringIO(Path(folder, "p.csv").read_text(encoding="utf-8"))))
    position = {name: k for k, name in enumerate(made.class_names)}
    true, predicted = ([position[row[key]] for row in rows] for key in ("true", "predicted"))
    return true, predicted, np.array([[float(row[f"p_{name}"]) for name in made.class_names] for row in rows])


@pytest.mark.parametrize(("count", "classes"), [(200, 6), (500, 62), (600, 200), (50, 2)])
def test_metrics_equal_scikit_learns_on_the_csv(predictions, count, classes):
    made = predictions(count, classes)
    true, predicted, score = table(made)
    ours, labels, present = compute_metrics(made), np.arange(classes), np.unique(true)
    expected = {
        "accuracy": sk.accuracy_score(true, predicted),
        "macro_recall": sk.recall_score(true, predicted, labels=present, average="macro", zero_division=0),
        "macro_precision": sk.precision_score(true, predicted, labels=present, average="macro", zero_division=0),
        "macro_f1": sk.f1_score(true, predicted, labels=present, average="macro", zero_division=0),
        "weighted_precision": sk.precision_score(true, predicted, average="weighted", zero_division=0),
        "weighted_recall": sk.recall_score(true, predicted, average="weighted", zero_division=0),
        "weighted_f1": sk.f1_score(true, predicted, average="weighted", zero_division=0),
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected["nll"] = expected["loss"] = sk.log_loss(true, score, labels=labels)
        expected["brier"] = sk.brier_score_loss(true, score, labels=labels)
    expected |= {
        f"top_{k}_accuracy": sk.top_k_accuracy_score(true, score, k=k, labels=labels) for k in (3, 5) if classes > k
    }
    auc = [sk.roc_auc_score(np.array(true) == k, score[:, k]) for k in present]
    expected["macro_auc"] = np.mean(auc)
    expected["macro_average_precision"] = np.mean(
        [sk.average_precision_score(np.array(true) == k, score[:, k]) for k in present]
    )
    assert {key: ours[key] for key in expected} == pytest.approx(expected, abs=1e-9)
    per_class = sk.precision_recall_fscore_support(true, predicted, labels=labels, zero_division=0)
    for key, values in zip(("precision", "recall", "f1", "support"), per_class, strict=True):
        assert [row[key] for row in ours["per_class"].values()] == pytest.approx(values.tolist(), abs=1e-9)
    assert [row["auc"] for row in ours["per_class"].values() if row["auc"] is not None] == pytest.approx(auc, abs=1e-9)


def test_macro_auc_is_that_of_scikit_learn_where_every_class_has_images(predictions):
    made = predictions()
    true, _, score = table(made)
    score /= score.sum(axis=1, keepdims=True)
    assert compute_metrics(made)["macro_auc"] == pytest.approx(
        sk.roc_auc_score(true, score, multi_class="ovr"), abs=1e-9
    )


def test_a_class_missing_from_the_split_is_left_out_of_averages(predictions):
    made = predictions(absent=2)
    metrics = compute_metrics(made)
    missing = metrics["per_class"]["c2"]
    assert (missing["support"], missing["recall"], missing["auc"], missing["average_precision"]) == (0, 0, None, None)
    assert missing["predicted"] == np.sum(made.y_pred == 2)
    others = [row["recall"] for name, row in metrics["per_class"].items() if name != "c2"]
    assert metrics["macro_recall"] == pytest.approx(np.mean(others))


def test_a_class_never_predicted_has_no_precision(predictions):
    never = compute_metrics(predictions(never=3))["per_class"]["c3"]
    assert never["precision"] == 0 and never["predicted"] == 0 and never["support"] > 0 and never["auc"] < 1


def test_a_split_of_one_image(predictions):
    one = compute_metrics(replace(predictions(count=1), temperature=1.5))
    assert one["images"] == 1 and one["accuracy"] in (0.0, 1.0) and one["majority_accuracy"] == 1.0
    assert "macro_auc" not in one and one["nll_calibrated"] > 0


def test_probabilities_that_rounding_has_moved_out_of_0_to_1_are_scored():
    rounded = Predictions(["x", "y"], np.array([0, 1]), np.array([[1.004, -0.004], [0, 1]], np.float32), ["a", "b"])
    metrics = compute_metrics(rounded)
    assert metrics["nll"] == pytest.approx(0, abs=1e-12) and metrics["brier"] == 0
    per_class = metrics.pop("per_class").values()
    assert np.isfinite([*metrics.values(), *(value for row in per_class for value in row.values())]).all()


def test_case_insensitive_accuracy_only_where_names_differ_in_case(predictions):
    assert "case_insensitive_accuracy" not in compute_metrics(predictions(classes=3, names=["a", "b", "B1"]))
    score = np.array([[0.6, 0.3, 0.1], [0.6, 0.3, 0.1], [0.1, 0.3, 0.6]], np.float32)
    made = Predictions(["x", "y", "z"], np.array([1, 2, 1]), score, ["o", "O", "b"])
    metrics = compute_metrics(made)
    assert metrics["accuracy"] == 0 and metrics["case_insensitive_accuracy"] == pytest.approx(1 / 3)


def test_every_metric_is_a_plain_number(predictions):
    metrics = compute_metrics(replace(predictions(classes=7, absent=1), temperature=0.8))
    per_class = metrics.pop("per_class")
    assert {type(value) for value in metrics.values()} == {int, float}
    assert {type(value) for row in per_class.values() for value in row.values()} == {int, float, type(None)}


def test_a_metric_is_one_function_and_one_line_of_the_registry(predictions, monkeypatch):
    monkeypatch.setitem(METRICS, "top_1_error", lambda made: float(np.mean(~made.correct)))
    monkeypatch.setitem(METRICS, "undefined", lambda made: None)
    metrics = compute_metrics(predictions())
    assert metrics["top_1_error"] == pytest.approx(1 - metrics["accuracy"]) and "undefined" not in metrics
    assert list(metrics)[-1] == "per_class"


def test_the_order_of_the_metrics_is_fixed(predictions):
    names = [*"abcdef", "A"]
    metrics = compute_metrics(replace(predictions(classes=7, names=names), temperature=1.2))
    assert list(metrics) == [*METRICS, "per_class"]
    assert list(metrics)[:10] == [
        "images", "accuracy", "accuracy_low", "accuracy_high", "top_3_accuracy", "top_5_accuracy",
        "case_insensitive_accuracy", "majority_accuracy", "loss", "nll",
    ]  # fmt: skip
