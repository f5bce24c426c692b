"""Bootstrap intervals of metrics of several labels an image."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from kerasexp.evaluation.metric_limits import CHUNK, resample_chunks

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
    y_true = y_true.astype(bool)
    for parts in _resamples(*y_true.shape):
        of_each = (areas(y_true[:, k], y_score[:, k], parts) for k in range(y_true.shape[1]))
        for weights, *of_labels in zip(parts, *of_each, strict=True):
            for name, values in _resampled(y_true, y_pred, weights, of_labels).items():
                drawn.setdefault(name, []).append(values)
    found = {name: np.concatenate(values) for name, values in drawn.items()}
    return {name: _quantiles(values) for name, values in found.items()}


def _resamples(images: int, classes: int) -> Iterator[list[np.ndarray]]:
    """Yield how often each image is drawn, in parts of float64 [resamples, images]; those of a list are in memory together."""
    generator, shares = np.random.default_rng(0), np.full(images, 1 / images)
    numbers = list(resample_chunks(images * classes))
    together = max(CHUNK // (numbers[0] * images), 1)
    for first in range(0, len(numbers), together):
        yield [generator.multinomial(images, shares, n).astype(np.float64) for n in numbers[first : first + together]]


def _quantiles(values: np.ndarray) -> np.ndarray:
    """Return low and high, [2, ...], of the resamples, [r, ...], in which a metric is defined."""
    columns = values.reshape(len(values), -1).T
    defined = [column[~np.isnan(column)] for column in columns]
    bounds = [np.quantile(column, (LOW, HIGH)) if len(column) else np.full(2, np.nan) for column in defined]
    return np.array(bounds).T.reshape(2, *values.shape[1:])


def _resampled(
    y_true: np.ndarray, y_pred: np.ndarray, weights: np.ndarray, of_labels: Sequence[tuple[np.ndarray, np.ndarray]]
) -> dict[str, np.ndarray]:
    """Return the metrics of each resample, [r] or [r, classes], with the `areas` of each label."""
    hits, support, predicted = (weights @ each for each in (y_true & y_pred, y_true, y_pred))
    present = support > 0
    # A label that is not in a resample has no recall, and no F1; one that is never predicted has precision 0.
    f1 = np.where(present, 2 * hits / np.maximum(support + predicted, 1), np.nan)
    precision = np.where(present, hits / np.maximum(predicted, 1), np.nan)
    recall = np.where(present, hits / np.maximum(support, 1), np.nan)
    both = np.maximum((support + predicted).sum(axis=1), 1)
    auc, average_precision = (np.stack(each, axis=1) for each in zip(*of_labels, strict=True))
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


def areas(positive: np.ndarray, score: np.ndarray, parts: Sequence[np.ndarray]) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the area under the ROC curve and the average precision of one label, for each weighting of the images.

    They are those of scikit-learn with `sample_weight`, for all weightings from one sort.

    Args:
        positive: bool [n].
        score: float [n].
        parts: the weightings, float64 [r, n] each.

    Returns:
        For each part float64 [r] and [r]; NaN where all or none of the weight is on positive images.
    """
    order = np.argsort(-score, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(score[order])), len(order) - 1)
    positive = positive[order]
    return [_areas_of_sorted(positive, weights[:, order], ends) for weights in parts]


def _areas_of_sorted(positive: np.ndarray, weights: np.ndarray, ends: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the areas of images in the order of falling scores; `ends` are the last positions of equal ones."""
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
