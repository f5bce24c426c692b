"""Bootstrap intervals of metrics of several labels an image."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from kerasexp.evaluation.metric_limits import resample_chunks

LOW, HIGH = 0.025, 0.975


def multi_label_intervals(y_true: np.ndarray, y_score: np.ndarray, y_pred: np.ndarray) -> dict[str, np.ndarray]:
    """Return the 95 % bootstrap intervals over the images, from seeded resamples; with very many images from fewer of them.

    A resample weights each image by how often it is drawn. Its macro averages are over the labels that are in it.

    Args:
        y_true: uint8 [n, classes] of 0 and 1.
        y_score: float [n, classes].
        y_pred: bool [n, classes].

    Returns:
        `f1`, `auc` and `average_precision`: float64 [2, classes], low and high of each label, NaN where undefined;
        `macro_` of these, `macro_precision`, `macro_recall`, `micro_f1` and `hamming_accuracy`: float64 [2].
    """
    drawn: dict[str, list[np.ndarray]] = {}
    for weights in _resamples(*y_true.shape):
        for name, values in _resampled(y_true.astype(bool), y_score, y_pred, weights).items():
            drawn.setdefault(name, []).append(values)
    found = {name: np.concatenate(parts) for name, parts in drawn.items()}
    return {name: _quantiles(values) for name, values in found.items()}


def _resamples(images: int, classes: int) -> Iterator[np.ndarray]:
    """Yield how often each image is drawn, float64 [resamples, images], some resamples at a time."""
    generator, shares = np.random.default_rng(0), np.full(images, 1 / images)
    for number in resample_chunks(images * classes):
        yield generator.multinomial(images, shares, number).astype(np.float64)


def _quantiles(values: np.ndarray) -> np.ndarray:
    """Return low and high, [2, ...], of the resamples, [r, ...], in which a metric is defined."""
    columns = values.reshape(len(values), -1).T
    defined = [column[~np.isnan(column)] for column in columns]
    bounds = [np.quantile(column, (LOW, HIGH)) if len(column) else np.full(2, np.nan) for column in defined]
    return np.array(bounds).T.reshape(2, *values.shape[1:])


def _resampled(
    y_true: np.ndarray, y_score: np.ndarray, y_pred: np.ndarray, weights: np.ndarray
) -> dict[str, np.ndarray]:
    """Return the metrics of each resample: [r] or [r, classes]."""
    hits, support, predicted = (weights @ each for each in (y_true & y_pred, y_true, y_pred))
    present = support > 0
    # A label that is not in a resample has no recall, and no F1; one that is never predicted has precision 0.
    f1 = np.where(present, 2 * hits / np.maximum(support + predicted, 1), np.nan)
    precision = np.where(present, hits / np.maximum(predicted, 1), np.nan)
    recall = np.where(present, hits / np.maximum(support, 1), np.nan)
    both = np.maximum((support + predicted).sum(axis=1), 1)
    columns = [areas(y_true[:, k], y_score[:, k], weights) for k in range(y_true.shape[1])]
    auc, average_precision = (np.stack(each, axis=1) for each in zip(*columns, strict=True))
    per_label = {"f1": f1, "auc": auc, "average_precision": average_precision}
    averaged = {**per_label, "precision": precision, "recall": recall}
    return {
        **per_label,
        **{f"macro_{name}": _mean(values) for name, values in averaged.items()},
        "micro_f1": 2 * hits.sum(axis=1) / both,
        "hamming_accuracy": weights @ (y_true == y_pred).mean(axis=1) / weights.sum(axis=1),
    }


def _mean(values: np.ndarray) -> np.ndarray:
    """Return the mean of each row over what is not NaN; NaN where nothing is."""
    defined = ~np.isnan(values)
    return np.where(defined.any(axis=1), np.nansum(values, axis=1) / np.maximum(defined.sum(axis=1), 1), np.nan)


def areas(positive: np.ndarray, score: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the area under the ROC curve and the average precision of one label, for each weighting of the images.

    They are those of scikit-learn with `sample_weight`, for all weightings from one sort.

    Args:
        positive: bool [n].
        score: float [n].
        weights: float64 [r, n].

    Returns:
        float64 [r] each; NaN where all or none of the weight is on positive images.
    """
    order = np.argsort(-score, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(score[order])), len(order) - 1)
    weights, positive = weights[:, order], positive[order]
    true, false = (np.cumsum(weights * mask, axis=1)[:, ends] for mask in (positive, ~positive))
    positives, negatives = true[:, -1], false[:, -1]
    with np.errstate(divide="ignore", invalid="ignore"):
        precision = np.nan_to_num(true / (true + false))
        average_precision = (np.diff(true, axis=1, prepend=0) * precision).sum(axis=1) / positives
        steps, heights = (
            np.diff(false, axis=1, prepend=0),
            (true + np.column_stack([np.zeros(len(true)), true[:, :-1]])) / 2,
        )
        auc = (steps * heights).sum(axis=1) / (positives * negatives)
    undefined = (positives == 0) | (negatives == 0)
    return np.where(undefined, np.nan, auc), np.where(undefined, np.nan, average_precision)
