"""Figures of a split, from its predictions; scikit-learn's where it has them."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from kerasexp.evaluation.calibration import at_temperature, reliability
from kerasexp.evaluation.intervals import macro_intervals, wilson_interval
from kerasexp.evaluation.predictions import Predictions
from kerasexp.evaluation.roc import Ranking, rank

TOPS = (3, 5)
KERAS_EPSILON = 1e-7


def compute_metrics(
    predictions: Predictions, temperature: float | None = None, ranking: Ranking | None = None
) -> dict[str, Any]:
    """Return the figures of one split as plain numbers, ready for JSON.

    Keys:
        `images`; `accuracy` with `accuracy_low` and `accuracy_high`, its 95 % Wilson interval.
        `loss`: cross-entropy as Keras has it, with probabilities clipped at 1e-7; `nll`: the same, not clipped so.
        `brier`: squared error of the probabilities, summed over the classes, or half of that for two classes, as is the
        custom; `ece`: expected calibration error in 15 bins.
        `nll_calibrated`, `ece_calibrated`: after scaling by `temperature`, where one is given.
        `top_3_accuracy`, `top_5_accuracy`: with more classes than that.
        `case_insensitive_accuracy`: where two class names differ in case only.
        `macro_` and `weighted_` `precision`, `recall`, `f1`; `macro_recall_low` and so on: 95 % bootstrap intervals.
        `macro_auc`, `macro_average_precision`: of one class against all others; absent where no class has both.
        `majority_accuracy`: of always guessing the split's largest class.
        `per_class`: by class name, `precision`, `recall` with its 95 % Wilson interval, `f1`, `support` and
        `predicted` (images of it, and taken for it), `auc` and `average_precision`, None where undefined.

    Macro averages go over the classes that the split has; a class that is never predicted has precision 0.
    """
    from sklearn.metrics import precision_recall_fscore_support

    y_true, y_pred, y_score = predictions.y_true, predictions.y_pred, predictions.y_score.astype(np.float64)
    count, classes = len(predictions), np.arange(len(predictions.class_names))
    accuracy = float(np.mean(predictions.correct))
    low, high = wilson_interval(accuracy, count)
    ranking = ranking or rank(predictions)
    result: dict[str, Any] = {
        "images": count,
        "accuracy": accuracy,
        "accuracy_low": low,
        "accuracy_high": high,
        **_alternatives(predictions),
        "majority_accuracy": float(np.bincount(y_true).max() / count),
        "loss": float(-np.log(np.clip(y_score[np.arange(count), y_true], KERAS_EPSILON, 1)).mean()),
        **_calibration(predictions, temperature),
    }
    present = np.unique(y_true)
    for average in ("macro", "weighted"):
        values = precision_recall_fscore_support(y_true, y_pred, labels=present, average=average, zero_division=0)
        result |= {
            f"{average}_{name}": float(v) for name, v in zip(("precision", "recall", "f1"), values[:3], strict=True)
        }
    for name, (low, high) in macro_intervals(y_true, y_pred, len(classes)).items():
        result |= {f"{name}_low": low, f"{name}_high": high}
    if not np.isnan(ranking.auc).all():
        result["macro_auc"] = float(np.nanmean(ranking.auc))
        result["macro_average_precision"] = float(np.nanmean(ranking.average_precision))
    columns = precision_recall_fscore_support(y_true, y_pred, labels=classes, average=None, zero_division=0)
    predicted = np.bincount(y_pred, minlength=len(classes))
    columns = (*columns, predicted, ranking.auc, ranking.average_precision)
    result["per_class"] = {
        name: _one_class(*(column[label] for column in columns)) for label, name in enumerate(predictions.class_names)
    }
    return result


def _alternatives(predictions: Predictions) -> dict[str, float]:
    """Accuracy where more than the one most likely class counts as right."""
    from sklearn.metrics import top_k_accuracy_score

    names, found = predictions.class_names, {}
    for k in TOPS:
        if len(names) > k:
            found[f"top_{k}_accuracy"] = float(
                top_k_accuracy_score(predictions.y_true, predictions.y_score, k=k, labels=np.arange(len(names)))
            )
    folded = [name.casefold() for name in names]
    if len(set(folded)) < len(folded):
        same = np.array([folded.index(name) for name in folded])
        found["case_insensitive_accuracy"] = float(np.mean(same[predictions.y_true] == same[predictions.y_pred]))
    return found


def _calibration(predictions: Predictions, temperature: float | None) -> dict[str, float]:
    """Figures of the probabilities themselves, and of those after temperature scaling where there is a temperature."""
    from sklearn.metrics import brier_score_loss, log_loss

    y_true, labels = predictions.y_true, np.arange(len(predictions.class_names))
    score = predictions.y_score.astype(np.float64)
    with warnings.catch_warnings():
        # A float32 softmax sums to one within 1e-7, which is not near enough for scikit-learn to say nothing.
        warnings.filterwarnings("ignore", message="The y_prob values do not sum to one")
        found = {
            "nll": float(log_loss(y_true, score, labels=labels)),
            "brier": float(brier_score_loss(y_true, score, labels=labels)),
            "ece": reliability(predictions).error,
        }
    if temperature is not None:
        calibrated = at_temperature(predictions, temperature)
        found["nll_calibrated"] = float(log_loss(y_true, calibrated.y_score, labels=labels))
        found["ece_calibrated"] = reliability(calibrated).error
    return found


def _one_class(precision, recall, f1, support, predicted, auc, average_precision) -> dict[str, Any]:
    low, high = wilson_interval(float(recall), int(support))
    return {
        "precision": float(precision),
        "recall": float(recall),
        "recall_low": low,
        "recall_high": high,
        "f1": float(f1),
        "support": int(support),
        "predicted": int(predicted),
        "auc": None if np.isnan(auc) else float(auc),
        "average_precision": None if np.isnan(average_precision) else float(average_precision),
    }
