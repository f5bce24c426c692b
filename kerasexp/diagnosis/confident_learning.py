"""Confident learning: which labels are likely wrong, and how many, from held-out probabilities."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kerasexp.evaluation.metric_limits import DENSE_CLASSES, resample_chunks


@dataclass(frozen=True)
class LabelErrors:
    """Label errors estimated by confident learning.

    Attributes:
        rate: estimated share of wrong labels, with `low` and `high`, its 95 % interval (bootstrap over the images; errors of
            the model itself are not part of it).
        joint: float64 [classes, classes], estimated share of images with a label (row) and a true class (column); None with
            more than `DENSE_CLASSES` classes.
        positions: int64 [e], of the likely errors, the likeliest first.
        suggested: int64 [e], the likely true class of each of them.
    """

    rate: float
    low: float
    high: float
    joint: np.ndarray | None
    positions: np.ndarray
    suggested: np.ndarray


def find_label_errors(labels: np.ndarray, y_score: np.ndarray) -> LabelErrors:
    """Estimate the joint distribution of labels and true classes, and rank the images off its diagonal.

    After Northcutt, Jiang and Chuang, Confident Learning, JAIR 2021. An image counts as a class if its probability reaches
    the mean over the images with that label; as the likeliest class if it reaches several. These counts are then scaled to
    the label counts. Errors are ranked by normalised margin: probability of the label less that of the likeliest other class.

    Args:
        labels: int64 [n], of at least one image.
        y_score: float [n, classes], of a model that was not trained on these images.
    """
    count, classes = y_score.shape
    every = np.arange(count)
    label_counts = np.bincount(labels, minlength=classes)
    self_confidence = y_score[every, labels]
    # No image can count as a class that has no images.
    total = np.bincount(labels, self_confidence, classes)
    thresholds = np.divide(total, label_counts, out=np.full(classes, np.inf), where=label_counts > 0)
    confident = y_score >= thresholds
    likeliest = np.where(confident, y_score, -1).argmax(axis=1)
    counted = confident.any(axis=1)
    # The last column holds the images that count as no class.
    column = np.where(counted, likeliest, classes)
    cells, cell_counts = np.unique(labels * (classes + 1) + column, return_counts=True)
    rate = float(_error_rates(cells, cell_counts[np.newaxis], classes)[0])
    low, high = np.quantile(_resampled_rates(cells, cell_counts, classes), (0.025, 0.975))
    wrong = np.flatnonzero(counted & (likeliest != labels))
    others = y_score[wrong].copy()
    others[np.arange(len(wrong)), labels[wrong]] = -1
    order = np.argsort(self_confidence[wrong] - others.max(axis=1), kind="stable")
    joint = _joint(labels, column, classes) if classes <= DENSE_CLASSES else None
    return LabelErrors(rate, float(low), float(high), joint, wrong[order], likeliest[wrong[order]])


def _joint(labels: np.ndarray, column: np.ndarray, classes: int) -> np.ndarray:
    """Scale each label's counts to all of its images, and the table to sum 1; a label without counts is taken as correct."""
    table = np.bincount(labels * (classes + 1) + column, minlength=classes * (classes + 1)).reshape(classes, -1)
    label_counts, confident = table.sum(axis=1, keepdims=True), table[:, :-1]
    counted = confident.sum(axis=1, keepdims=True)
    shares = np.where(counted > 0, confident / np.maximum(counted, 1), np.eye(classes))
    return shares * label_counts / label_counts.sum()


def _resampled_rates(cells: np.ndarray, counts: np.ndarray, classes: int) -> np.ndarray:
    """Return the share of wrong labels in resamples of the images, float64 [resamples]: draws over the filled cells."""
    # A multinomial draw gives its last cell whatever the others leave, so an empty last cell is added.
    last = classes * (classes + 1) - 1
    if cells[-1] != last:
        cells, counts = np.append(cells, last), np.append(counts, 0)
    generator, total = np.random.default_rng(0), counts.sum()
    sizes = resample_chunks(len(cells) + classes)
    draws = (generator.multinomial(total, counts / total, size) for size in sizes)
    return np.concatenate([_error_rates(cells, drawn, classes) for drawn in draws])


def _error_rates(cells: np.ndarray, counts: np.ndarray, classes: int) -> np.ndarray:
    """Return the share off the diagonal of the joint distribution, for counts int64 [tables, cells]: float64 [tables]."""
    from scipy.sparse import csr_array

    label, column = np.divmod(cells, classes + 1)
    every, shape = np.arange(len(cells)), (len(cells), classes)
    label_counts, uncounted, correct = (
        np.ascontiguousarray(counts @ csr_array((kept.astype(np.int64), (every, label)), shape))
        for kept in (np.ones(len(cells)), column == classes, column == label)
    )
    counted = label_counts - uncounted
    shares = np.where(counted > 0, correct / np.maximum(counted, 1), 1.0)
    return 1 - (shares * label_counts / counts.sum(axis=1, keepdims=True)).sum(axis=1)
