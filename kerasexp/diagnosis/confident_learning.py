"""Confident learning: which labels are likely wrong, and how many, from held-out probabilities."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

RESAMPLES = 1000


@dataclass(frozen=True)
class LabelErrors:
    """Label errors estimated by confident learning.

    Attributes:
        rate: estimated share of wrong labels, with `low` and `high`, its 95 % interval (bootstrap over the images; errors of
            the model itself are not part of it).
        joint: float64 [classes, classes], estimated share of images with a label (row) and a true class (column).
        positions: int64 [e], of the likely errors, the likeliest first.
        suggested: int64 [e], the likely true class of each of them.
    """

    rate: float
    low: float
    high: float
    joint: np.ndarray
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
    table = np.bincount(labels * (classes + 1) + column, minlength=classes * (classes + 1)).reshape(classes, -1)
    joint = _calibrated(table)
    resamples = np.random.default_rng(0).multinomial(count, table.ravel() / count, RESAMPLES)
    rates = _off_diagonal(_calibrated(resamples.reshape(-1, *table.shape)))
    low, high = np.quantile(rates, (0.025, 0.975))
    wrong = np.flatnonzero(counted & (likeliest != labels))
    others = y_score[wrong].copy()
    others[np.arange(len(wrong)), labels[wrong]] = -1
    order = np.argsort(self_confidence[wrong] - others.max(axis=1), kind="stable")
    return LabelErrors(
        float(_off_diagonal(joint)), float(low), float(high), joint, wrong[order], likeliest[wrong[order]]
    )


def _calibrated(tables: np.ndarray) -> np.ndarray:
    """Scale each label's counts to all of its images, and the table to sum 1; a label without counts is taken as correct."""
    label_counts = tables.sum(axis=-1, keepdims=True)
    confident = tables[..., :-1]
    counted = confident.sum(axis=-1, keepdims=True)
    correct = np.broadcast_to(np.eye(confident.shape[-1]), confident.shape)
    shares = np.where(counted > 0, confident / np.maximum(counted, 1), correct)
    return shares * label_counts / label_counts.sum(axis=(-2, -1), keepdims=True)


def _off_diagonal(joint: np.ndarray) -> np.ndarray:
    return 1 - np.trace(joint, axis1=-2, axis2=-1)
