"""Metrics of one split, computed from its predictions; by scikit-learn where it has them."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from kerasexp.evaluation.calibration import reliability
from kerasexp.evaluation.intervals import wilson_interval
from kerasexp.evaluation.predictions import Predictions

KERAS_EPSILON = 1e-7
Metric = Callable[[Predictions], float | None]


def compute_metrics(predictions: Predictions) -> dict[str, Any]:
    """Return every metric of `METRICS` that is defined for these predictions, and `per_class`, as values for JSON."""
    values = {name: metric(predictions) for name, metric in METRICS.items()}
    return {name: value for name, value in values.items() if value is not None} | {"per_class": per_class(predictions)}


def accuracy(predictions: Predictions) -> float:
    """Return the share of images whose most likely class is the true one."""
    return float(np.mean(predictions.correct))


def accuracy_interval(predictions: Predictions) -> tuple[float, float]:
    """Return the 95 % Wilson interval of the accuracy."""
    return wilson_interval(accuracy(predictions), len(predictions))


def top_k_accuracy(k: int) -> Metric:
    """Return the metric: share of images whose true class is among the k most likely; None with k classes or fewer."""

    def metric(predictions: Predictions) -> float | None:
        from sklearn.metrics import top_k_accuracy_score

        labels = np.arange(len(predictions.class_names))
        if len(labels) <= k:
            return None
        return float(top_k_accuracy_score(predictions.y_true, predictions.y_score, k=k, labels=labels))

    return metric


def case_insensitive_accuracy(predictions: Predictions) -> float | None:
    """Return the accuracy with names that differ in case only as one class; None where no two do."""
    folded = [name.casefold() for name in predictions.class_names]
    if len(set(folded)) == len(folded):
        return None
    merged = np.array([folded.index(name) for name in folded])
    return float(np.mean(merged[predictions.y_true] == merged[predictions.y_pred]))


def majority_accuracy(predictions: Predictions) -> float:
    """Return the accuracy of always predicting the split's largest class."""
    return float(np.bincount(predictions.y_true).max() / len(predictions))


def keras_loss(predictions: Predictions) -> float:
    """Return the cross-entropy as Keras computes it, with probabilities clipped at 1e-7."""
    score = predictions.y_score.astype(np.float64)[np.arange(len(predictions)), predictions.y_true]
    return float(-np.log(np.clip(score, KERAS_EPSILON, 1)).mean())


def negative_log_likelihood(predictions: Predictions) -> float:
    """Return the cross-entropy with probabilities that are not clipped at Keras's bound."""
    from sklearn.metrics import log_loss

    return _score(log_loss, predictions)


def brier_score(predictions: Predictions) -> float:
    """Return the squared error of the probabilities, summed over the classes, or half of that for two, as is the custom."""
    from sklearn.metrics import brier_score_loss

    return _score(brier_score_loss, predictions)


def _score(score: Callable[..., float], predictions: Predictions) -> float:
    labels = np.arange(len(predictions.class_names))
    with warnings.catch_warnings():
        # A float32 softmax sums to 1 within 1e-7; scikit-learn warns unless it is closer.
        warnings.filterwarnings("ignore", message="The y_prob values do not sum to one")
        return float(score(predictions.y_true, predictions.y_score.astype(np.float64), labels=labels))


def expected_calibration_error(predictions: Predictions) -> float:
    """Return the expected calibration error in 15 bins."""
    return reliability(predictions).error


def calibrated(metric: Metric) -> Metric:
    """Return the same metric of the probabilities after temperature scaling; None without a temperature."""
    return lambda predictions: None if predictions.calibrated is None else metric(predictions.calibrated)


def class_average(column: int, weighted: bool) -> Metric:
    """Return the metric: a column of `class_scores`, averaged over the classes that the split has.

    A class that is never predicted has precision 0. The weights are the numbers of images.
    """

    def metric(predictions: Predictions) -> float:
        present = np.unique(predictions.y_true)
        scores, support = predictions.class_scores[column][present], predictions.class_scores[-1][present]
        return float(np.average(scores, weights=support if weighted else None))

    return metric


def macro_bound(name: str, end: int) -> Metric:
    """Return the metric: the low (0) or high (1) end of the 95 % bootstrap interval of a macro average."""
    return lambda predictions: predictions.macro_intervals[name][end]


def macro_auc(predictions: Predictions) -> float | None:
    """Return the mean area under the ROC curves of one class against the rest; None where no class has both."""
    return _mean_defined(predictions.one_vs_rest.auc)


def macro_average_precision(predictions: Predictions) -> float | None:
    """Return the mean average precision of one class against the rest; None where no class has both."""
    return _mean_defined(predictions.one_vs_rest.average_precision)


def _mean_defined(values: np.ndarray) -> float | None:
    return None if np.isnan(values).all() else float(np.nanmean(values))


def per_class(predictions: Predictions) -> dict[str, dict[str, Any]]:
    """Return, by class name, what is known of one class.

    Keys: `precision`, `recall` with its 95 % Wilson interval, `f1`, `support` and `predicted` (images that have this class,
    and that are predicted as it), `auc` and `average_precision`, None where undefined.
    """
    names, curves = predictions.class_names, predictions.one_vs_rest
    predicted = np.bincount(predictions.y_pred, minlength=len(names))
    columns = (*predictions.class_scores, predicted, curves.auc, curves.average_precision)
    return {name: _one_class(*(column[label] for column in columns)) for label, name in enumerate(names)}


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


# The metrics of a split, in the order of `metrics.json`. A metric that returns None is left out.
METRICS: dict[str, Metric] = {
    "images": len,
    "accuracy": accuracy,
    "accuracy_low": lambda predictions: accuracy_interval(predictions)[0],
    "accuracy_high": lambda predictions: accuracy_interval(predictions)[1],
    "top_3_accuracy": top_k_accuracy(3),
    "top_5_accuracy": top_k_accuracy(5),
    "case_insensitive_accuracy": case_insensitive_accuracy,
    "majority_accuracy": majority_accuracy,
    "loss": keras_loss,
    "nll": negative_log_likelihood,
    "brier": brier_score,
    "ece": expected_calibration_error,
    "nll_calibrated": calibrated(negative_log_likelihood),
    "ece_calibrated": calibrated(expected_calibration_error),
    "macro_precision": class_average(0, weighted=False),
    "macro_recall": class_average(1, weighted=False),
    "macro_f1": class_average(2, weighted=False),
    "weighted_precision": class_average(0, weighted=True),
    "weighted_recall": class_average(1, weighted=True),
    "weighted_f1": class_average(2, weighted=True),
    "macro_recall_low": macro_bound("macro_recall", 0),
    "macro_recall_high": macro_bound("macro_recall", 1),
    "macro_f1_low": macro_bound("macro_f1", 0),
    "macro_f1_high": macro_bound("macro_f1", 1),
    "macro_auc": macro_auc,
    "macro_average_precision": macro_average_precision,
}
