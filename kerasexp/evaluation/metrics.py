"""Figures of a split, from its predictions; scikit-learn's where it has them."""

from __future__ import annotations

from typing import Any

import numpy as np

from kerasexp.evaluation.predictions import Predictions

TOP = 3


def compute_metrics(predictions: Predictions) -> dict[str, Any]:
    """Return the figures of one split as plain numbers, ready for JSON.

    Keys: `pictures`, `accuracy`, `accuracy_low` and `accuracy_high` (95 % Wilson interval), `loss` (mean negative log
    likelihood, natural logarithm), `top_3_accuracy` (with more than three classes), `macro_` and `weighted_` precision,
    recall and f1, `majority_accuracy` (of always guessing the split's largest class), and `per_class`: precision, recall,
    f1 and support by class name. Macro averages go over the classes that the split has; a class that is never predicted
    has precision 0.
    """
    from sklearn.metrics import precision_recall_fscore_support

    y_true, y_pred, y_score = predictions.y_true, predictions.y_pred, predictions.y_score.astype(np.float64)
    count = len(y_true)
    accuracy = float(np.mean(y_true == y_pred))
    low, high = wilson_interval(accuracy, count)
    present = np.unique(y_true)
    result: dict[str, Any] = {
        "pictures": count,
        "accuracy": accuracy,
        "accuracy_low": low,
        "accuracy_high": high,
        "loss": float(-np.log(np.clip(y_score[np.arange(count), y_true], 1e-7, 1)).mean()),
    }
    if len(predictions.class_names) > TOP:
        top = np.argpartition(y_score, -TOP, axis=1)[:, -TOP:]
        result[f"top_{TOP}_accuracy"] = float((top == y_true[:, np.newaxis]).any(axis=1).mean())
    for average in ("macro", "weighted"):
        values = precision_recall_fscore_support(y_true, y_pred, labels=present, average=average, zero_division=0)
        result |= {
            f"{average}_{name}": float(v) for name, v in zip(("precision", "recall", "f1"), values[:3], strict=True)
        }
    result["majority_accuracy"] = float(np.bincount(y_true).max() / count)
    every = np.arange(len(predictions.class_names))
    columns = precision_recall_fscore_support(y_true, y_pred, labels=every, average=None, zero_division=0)
    result["per_class"] = {
        name: {"precision": float(p), "recall": float(r), "f1": float(f), "support": int(s)}
        for name, p, r, f, s in zip(predictions.class_names, *columns, strict=True)
    }
    return result


def wilson_interval(rate: float, count: int, z: float = 1.959963984540054) -> tuple[float, float]:
    """Return the 95 % interval of a rate observed in `count` trials (Wilson 1927); unlike the normal one it stays in 0..1."""
    if count == 0:
        return 0.0, 1.0
    middle = (rate + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count) * np.sqrt(rate * (1 - rate) / count + z * z / (4 * count * count))
    return float(max(middle - half, 0.0)), float(min(middle + half, 1.0))
