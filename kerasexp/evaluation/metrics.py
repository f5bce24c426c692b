"""Metrics of one split, computed from its predictions; by scikit-learn where it has them."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any

import numpy as np

from kerasexp.evaluation.calibration import reliability
from kerasexp.evaluation.intervals import wilson_interval
from kerasexp.evaluation.metric_limits import row_slices
from kerasexp.evaluation.multi_label_metrics import multi_label_metrics
from kerasexp.evaluation.multi_label_predictions import MultiLabelPredictions
from kerasexp.evaluation.predictions import Predictions

KERAS_EPSILON = 1e-7
Metric = Callable[[Predictions], float | None]


def compute_metrics(predictions: Predictions, custom: Mapping[str, Metric] = MappingProxyType({})) -> dict[str, Any]:
    """Return every metric of `METRICS`, and of a user's own, that is defined for these predictions, as values for JSON.

    With several labels an image they are those of `MULTI_LABEL_METRICS`. The last key is `per_class`.
    """
    if isinstance(predictions, MultiLabelPredictions):
        return multi_label_metrics(predictions, custom)
    values = {name: metric(predictions) for name, metric in {**METRICS, **custom}.items()}
    return {name: value for name, value in values.items() if value is not None} | {"per_class": per_class(predictions)}


def accuracy(predictions: Predictions) -> float:
    """Return the share of images whose most likely class is the true one."""
    return float(np.mean(predictions.correct))


def top_k_accuracy(predictions: Predictions, k: int) -> float | None:
    """Return the share of images whose true class is among the k most likely; None with k classes or fewer.

    Of equally likely classes the later ones come first, as in scikit-learn, which would sort all probabilities.
    """
    classes = len(predictions.class_names)
    if classes <= k:
        return None
    hits = []
    for rows in row_slices(len(predictions), classes):
        y_true, scores = predictions.y_true[rows, np.newaxis], predictions.y_score[rows]
        own = np.take_along_axis(scores, y_true, axis=1)
        before = (scores > own) | ((scores == own) & (np.arange(classes) > y_true))
        hits.append(before.sum(axis=1) < k)
    return float(np.mean(np.concatenate(hits)))


def case_insensitive_accuracy(predictions: Predictions) -> float | None:
    """Return the accuracy with names that differ in case only as one class; None where no two do."""
    folded = [name.casefold() for name in predictions.class_names]
    if len(set(folded)) == len(folded):
        return None
    first = {name: position for position, name in reversed(list(enumerate(folded)))}
    merged = np.array([first[name] for name in folded])
    return float(np.mean(merged[predictions.y_true] == merged[predictions.y_pred]))


def majority_accuracy(predictions: Predictions) -> float:
    """Return the accuracy of always predicting the split's largest class."""
    return float(np.bincount(predictions.y_true).max() / len(predictions))


def keras_loss(predictions: Predictions) -> float:
    """Return the cross-entropy as Keras computes it, with probabilities clipped at 1e-7."""
    score = predictions.y_score[np.arange(len(predictions)), predictions.y_true].astype(np.float64)
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
    with warnings.catch_warnings():
        # A float32 softmax sums to 1 within 1e-7; scikit-learn warns unless it is closer.
        warnings.filterwarnings("ignore", message="The y_prob values do not sum to one")
        # It refuses probabilities that rounding has moved out of 0..1.
        return _mean_over_images(
            lambda true, y, labels: score(true, y.astype(np.float64).clip(0, 1), labels=labels), predictions
        )


def _mean_over_images(score: Callable[..., float], predictions: Predictions) -> float:
    """Return a mean over the images that scikit-learn computes, in chunks where they have many probabilities."""
    labels = np.arange(len(predictions.class_names))
    chunks = list(row_slices(len(predictions), len(labels)))
    means = [float(score(predictions.y_true[rows], predictions.y_score[rows], labels=labels)) for rows in chunks]
    return (
        means[0] if len(means) == 1 else float(np.average(means, weights=[rows.stop - rows.start for rows in chunks]))
    )


def calibrated(metric: Metric) -> Metric:
    """Return the same metric of the probabilities after temperature scaling; None without a temperature."""
    return lambda predictions: None if predictions.calibrated is None else metric(predictions.calibrated)


def macro_average(scores: np.ndarray, predictions: Predictions) -> float:
    """Return the mean of scores [classes] over the classes that the split has; a class never predicted has precision 0."""
    return float(np.average(scores[np.unique(predictions.y_true)]))


def weighted_average(scores: np.ndarray, predictions: Predictions) -> float:
    """Return the mean of scores [classes], weighted by the number of images."""
    present = np.unique(predictions.y_true)
    return float(np.average(scores[present], weights=predictions.class_scores.support[present]))


def defined_mean(scores: np.ndarray) -> float | None:
    """Return the mean of scores [classes] that are not NaN; None if all are."""
    return None if np.isnan(scores).all() else float(np.nanmean(scores))


def per_class(predictions: Predictions) -> dict[str, dict[str, Any]]:
    """Return the metrics of each class, by name.

    Keys: `precision`, `recall` with its 95 % Wilson interval, `f1`, `support` and `predicted` (images that have this class,
    and that are predicted as it), `auc` and `average_precision`, None where undefined.
    """
    names, curves = predictions.class_names, predictions.one_vs_rest
    predicted, rows = np.bincount(predictions.y_pred, minlength=len(names)), {}
    columns = (*predictions.class_scores, predicted, curves.auc, curves.average_precision)
    for name, precision, recall, f1, support, count, auc, ap in zip(names, *columns, strict=True):
        low, high = wilson_interval(float(recall), int(support))
        rows[name] = {
            "precision": float(precision),
            "recall": float(recall),
            "recall_low": low,
            "recall_high": high,
            "f1": float(f1),
            "support": int(support),
            "predicted": int(count),
            "auc": None if np.isnan(auc) else float(auc),
            "average_precision": None if np.isnan(ap) else float(ap),
        }
    return rows


# The metrics of a split, in the order of `metrics.json`. A metric that returns None is left out.
METRICS: dict[str, Metric] = {
    "images": len,
    "accuracy": accuracy,
    "accuracy_low": lambda p: wilson_interval(accuracy(p), len(p))[0],
    "accuracy_high": lambda p: wilson_interval(accuracy(p), len(p))[1],
    "top_3_accuracy": partial(top_k_accuracy, k=3),
    "top_5_accuracy": partial(top_k_accuracy, k=5),
    "case_insensitive_accuracy": case_insensitive_accuracy,
    "majority_accuracy": majority_accuracy,
    "loss": keras_loss,
    "nll": negative_log_likelihood,
    "brier": brier_score,
    "ece": lambda p: reliability(p).error,
    "nll_calibrated": calibrated(negative_log_likelihood),
    "ece_calibrated": calibrated(lambda p: reliability(p).error),
    "macro_precision": lambda p: macro_average(p.class_scores.precision, p),
    "macro_recall": lambda p: macro_average(p.class_scores.recall, p),
    "macro_f1": lambda p: macro_average(p.class_scores.f1, p),
    "weighted_precision": lambda p: weighted_average(p.class_scores.precision, p),
    "weighted_recall": lambda p: weighted_average(p.class_scores.recall, p),
    "weighted_f1": lambda p: weighted_average(p.class_scores.f1, p),
    "macro_recall_low": lambda p: p.macro_intervals["macro_recall"][0],
    "macro_recall_high": lambda p: p.macro_intervals["macro_recall"][1],
    "macro_f1_low": lambda p: p.macro_intervals["macro_f1"][0],
    "macro_f1_high": lambda p: p.macro_intervals["macro_f1"][1],
    "macro_auc": lambda p: defined_mean(p.one_vs_rest.auc),
    "macro_average_precision": lambda p: defined_mean(p.one_vs_rest.average_precision),
}
