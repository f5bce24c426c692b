"""Metrics of a split whose images have several labels; by scikit-learn where it has them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from kerasexp.data.label_sets import label_set_numbers
from kerasexp.evaluation.intervals import wilson_interval
from kerasexp.evaluation.metric_limits import row_slices
from kerasexp.evaluation.multi_label_predictions import MultiLabelPredictions

KERAS_EPSILON = 1e-7
MultiLabelMetric = Callable[[MultiLabelPredictions], float | None]


def multi_label_metrics(
    predictions: MultiLabelPredictions, custom: Mapping[str, MultiLabelMetric] = MappingProxyType({})
) -> dict[str, Any]:
    """Return every metric of `MULTI_LABEL_METRICS`, and of a user's own, that is defined, and `per_class`, for JSON."""
    values = {name: metric(predictions) for name, metric in {**MULTI_LABEL_METRICS, **custom}.items()}
    values = {name: value for name, value in values.items() if value is not None and not np.isnan(value)}
    return values | {"per_class": per_label(predictions)}


def exact_match(predictions: MultiLabelPredictions) -> float:
    """Return the share of images with all labels right, present and absent."""
    from sklearn.metrics import accuracy_score

    return float(accuracy_score(predictions.y_true, predictions.y_pred))


def hamming_accuracy(predictions: MultiLabelPredictions) -> float:
    """Return the share of all labels of all images that are right, present or absent."""
    from sklearn.metrics import hamming_loss

    return 1 - float(hamming_loss(predictions.y_true, predictions.y_pred))


def most_frequent_set(predictions: MultiLabelPredictions) -> float:
    """Return the exact match of always predicting the split's most frequent set of labels."""
    return float(np.bincount(label_set_numbers(predictions.y_true)).max() / len(predictions))


def binary_loss(predictions: MultiLabelPredictions) -> float:
    """Return the binary cross-entropy, averaged over labels and images, with probabilities clipped at 1e-7 as in Keras."""
    total = 0.0
    for rows in row_slices(*predictions.y_score.shape):
        true, score = predictions.y_true[rows], predictions.y_score[rows].astype(np.float64)
        likelihood = np.where(true, score, 1 - score)
        total -= np.log(np.clip(likelihood, KERAS_EPSILON, 1)).sum()
    return float(total / predictions.y_score.size)


def _macro(key: str) -> MultiLabelMetric:
    """Return the metric that averages precision, recall or F1 over the labels that the split has."""

    def metric(predictions: MultiLabelPredictions) -> float | None:
        scores = predictions.class_scores
        present = scores.support > 0
        return float(getattr(scores, key)[present].mean()) if present.any() else None

    return metric


def _micro(key: int) -> MultiLabelMetric:
    """Return the metric that counts all labels of all images together."""

    def metric(predictions: MultiLabelPredictions) -> float:
        from sklearn.metrics import precision_recall_fscore_support

        averaged = precision_recall_fscore_support(
            predictions.y_true, predictions.y_pred, average="micro", zero_division=0
        )
        return float(averaged[key])

    return metric


def _micro_average_precision(predictions: MultiLabelPredictions) -> float | None:
    from sklearn.metrics import average_precision_score

    if not predictions.y_true.any():
        return None
    return float(average_precision_score(predictions.y_true, predictions.y_score, average="micro"))


def _mean_area(key: str) -> MultiLabelMetric:
    """Return the metric that averages an area of `one_vs_rest` over the labels for which it is defined."""

    def metric(predictions: MultiLabelPredictions) -> float | None:
        found = getattr(predictions.one_vs_rest, key)
        return None if np.isnan(found).all() else float(np.nanmean(found))

    return metric


def _bound(key: str, end: int) -> MultiLabelMetric:
    return lambda predictions: float(predictions.intervals[key][end])


def per_label(predictions: MultiLabelPredictions) -> dict[str, dict[str, Any]]:
    """Return the metrics of each label, by name: those of `per_class` for one label an image, and `threshold`.

    The interval of recall is Wilson's, those of F1, AUC and average precision are bootstrapped; None where undefined.
    """
    scores, curves, intervals = predictions.class_scores, predictions.one_vs_rest, predictions.intervals
    areas = {"auc": curves.auc, "average_precision": curves.average_precision}
    predicted, rows = predictions.y_pred.sum(axis=0), {}
    for k, name in enumerate(predictions.class_names):
        low, high = wilson_interval(float(scores.recall[k]), int(scores.support[k]))
        rows[name] = {
            "precision": float(scores.precision[k]),
            "recall": float(scores.recall[k]),
            "recall_low": low,
            "recall_high": high,
            "f1": float(scores.f1[k]),
            **_bounds("f1", intervals["f1"][:, k]),
            "support": int(scores.support[k]),
            "predicted": int(predicted[k]),
        }
        for key, values in areas.items():
            rows[name] |= {key: _defined(values[k]), **_bounds(key, intervals[key][:, k])}
        rows[name]["threshold"] = float(predictions.thresholds[k]) if len(predictions.thresholds) else 0.5
    return rows


def _bounds(key: str, bounds: np.ndarray) -> dict[str, float | None]:
    return {f"{key}_low": _defined(bounds[0]), f"{key}_high": _defined(bounds[1])}


def _defined(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


_INTERVALS = ("hamming_accuracy", "macro_precision", "macro_recall", "macro_f1", "micro_f1")
# The metrics of a split, in the order of `metrics.json`. `accuracy` is the exact match. A metric that returns None is left out.
MULTI_LABEL_METRICS: dict[str, MultiLabelMetric] = {
    "images": len,
    "accuracy": exact_match,
    "accuracy_low": lambda p: wilson_interval(exact_match(p), len(p))[0],
    "accuracy_high": lambda p: wilson_interval(exact_match(p), len(p))[1],
    "majority_accuracy": most_frequent_set,
    "hamming_accuracy": hamming_accuracy,
    "loss": binary_loss,
    "macro_precision": _macro("precision"),
    "macro_recall": _macro("recall"),
    "macro_f1": _macro("f1"),
    "micro_precision": _micro(0),
    "micro_recall": _micro(1),
    "micro_f1": _micro(2),
    "macro_average_precision": _mean_area("average_precision"),
    "micro_average_precision": _micro_average_precision,
    "macro_auc": _mean_area("auc"),
    **{
        f"{key}_{word}": _bound(key, end)
        for key in (*_INTERVALS, "macro_average_precision", "macro_auc")
        for end, word in enumerate(("low", "high"))
    },
}
