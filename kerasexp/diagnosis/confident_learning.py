"""Confident learning: which labels are likely wrong, and how many, from held-out probabilities."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

RESAMPLES = 1000


@dataclass(frozen=True)
class LabelErrors:
    """What confident learning says of the labels.

    Attributes:
        rate: estimated share of wrong labels, with `low` and `high`, its 95 % interval (bootstrap over the images; it
            holds nothing of the model's own mistakes).
        joint: float64 [classes, classes], estimated share of images with a label (row) and a true class (column).
        positions: int64 [e], of the likely errors, the likeliest first.
        suggested: int64 [e], the class that each of them more likely is.
    """

    rate: float
    low: float
    high: float
    joint: np.ndarray
    positions: np.ndarray
    suggested: np.ndarray


def find_label_errors(labels: np.ndarray, y_score: np.ndarray) -> LabelErrors:
    """Estimate the joint distribution of labels and true classes, and rank the images off its diagonal.

    After Northcutt, Jiang and Chuang, Confident Learning, JAIR 2021. An image counts as a class if it has at least the
    probability of it that images with that label have on average; of several, as the likeliest. These counts are then
    scaled to those of the labels. Ranked is by normalised margin: the label's probability less the highest other one.

    Args:
        labels: int64 [n], of at least one image.
        y_score: float [n, classes], of a model that has not learned from these images.
    """
    count, classes = y_score.shape
    every = np.arange(count)
    given = np.bincount(labels, minlength=classes)
    self_confidence = y_score[every, labels]
    # A class without images can be nobody's true class.
    total = np.bincount(labels, self_confidence, classes)
    thresholds = np.divide(total, given, out=np.full(classes, np.inf), where=given > 0)
    confident = y_score >= thresholds
    likeliest = np.where(confident, y_score, -1).argmax(axis=1)
    counted = confident.any(axis=1)
    # The last column holds the images that count as no class.
    column = np.where(counted, likeliest, classes)
    table = np.bincount(labels * (classes + 1) + column, minlength=classes * (classes + 1)).reshape(classes, -1)
    joint = _calibrated(table)
    drawn = np.random.default_rng(0).multinomial(count, table.ravel() / count, RESAMPLES).reshape(-1, *table.shape)
    rates = _off_diagonal(_calibrated(drawn))
    low, high = np.quantile(rates, (0.025, 0.975))
    wrong = np.flatnonzero(counted & (likeliest != labels))
    rest = y_score[wrong].copy()
    rest[np.arange(len(wrong)), labels[wrong]] = -1
    order = np.argsort(self_confidence[wrong] - rest.max(axis=1), kind="stable")
    return LabelErrors(
        float(_off_diagonal(joint)), float(low), float(high), joint, wrong[order], likeliest[wrong[order]]
    )


def _calibrated(tables: np.ndarray) -> np.ndarray:
    """Scale the counted images of each label to all of them, and the whole to 1; a label of which none counts is right."""
    given = tables.sum(axis=-1, keepdims=True)
    confident = tables[..., :-1]
    counted = confident.sum(axis=-1, keepdims=True)
    right = np.broadcast_to(np.eye(confident.shape[-1]), confident.shape)
    shares = np.where(counted > 0, confident / np.maximum(counted, 1), right)
    return shares * given / given.sum(axis=(-2, -1), keepdims=True)


def _off_diagonal(joint: np.ndarray) -> np.ndarray:
    return 1 - np.trace(joint, axis1=-2, axis2=-1)
