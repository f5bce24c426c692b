"""Checks of the splits: missing and rare classes, and whether train and test have the same distribution."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kerasexp.data.downsampling import downsampled
from kerasexp.data.label_sets import count_labels, is_multi_label
from kerasexp.data.prepared_data import Split
from kerasexp.environment import cores

# A class with less than this share of the median class's images is rare.
RARE = 0.2
# Fewer images than this are too few to learn a class or to measure its metrics.
FEW = 10
SIGNIFICANT = 0.001
# Total variation distance of class shares that is too small to change a reported metric.
SMALL_SHIFT = 0.02
# AUC of the two-sample classifier from which the splits count as different.
DIFFERENT_AUC = 0.6
# Of the two-sample classifier: most images of each split, their side, fewest images of each split, trees.
SAMPLE, SIDE, MIN_IMAGES, TREES = 2000, 14, 20, 100


@dataclass(frozen=True)
class ClassCounts:
    """Images of each class in one split.

    Attributes:
        counts: int64 [classes].
        missing: labels without images.
        rare: labels with less than a fifth of the median class's images.
        few: labels with one to nine images.
        images: number of images, if they may have several labels; else None.
    """

    counts: np.ndarray
    missing: list[int]
    rare: list[int]
    few: list[int]
    images: int | None = None


@dataclass(frozen=True)
class Shift:
    """Difference of the class shares of two splits.

    Attributes:
        distance: total variation, 0 for equal shares, 1 for no common class.
        p_value: of the chi-square test that both are drawn from the same shares.
        label: the class whose share differs most; `first` and `second`: its shares.
    """

    distance: float
    p_value: float
    label: int
    first: float
    second: float

    @property
    def matters(self) -> bool:
        return self.p_value < SIGNIFICANT and self.distance > SMALL_SHIFT


@dataclass(frozen=True)
class TwoSampleTest:
    """Performance of a classifier that separates the images of two splits.

    Attributes:
        auc: 0.5 for chance, 1 for perfect separation; with `low` and `high`, its 95 % interval.
        images: number of images of both splits.
    """

    auc: float
    low: float
    high: float
    images: int

    @property
    def matters(self) -> bool:
        return self.low >= DIFFERENT_AUC


def count_classes(split: Split, classes: int) -> ClassCounts:
    """Count the images of each class."""
    counts = count_labels(split.labels, classes)
    median = np.median(counts[counts > 0]) if counts.any() else 0
    return ClassCounts(
        counts,
        np.flatnonzero(counts == 0).tolist(),
        np.flatnonzero((counts > 0) & (counts < RARE * median)).tolist(),
        np.flatnonzero((counts > 0) & (counts < FEW)).tolist(),
        len(split) if is_multi_label(split.labels) else None,
    )


def compare_shares(first: np.ndarray, second: np.ndarray) -> Shift | None:
    """Compare the class shares of two splits, given counts int [classes] of each; None where one of them is empty."""
    from scipy.stats import chi2_contingency

    if not first.any() or not second.any():
        return None
    shares = first / first.sum(), second / second.sum()
    gap = np.abs(shares[0] - shares[1])
    present = (first + second) > 0
    p_value = chi2_contingency(np.stack([first, second])[:, present]).pvalue if present.sum() > 1 else 1.0
    label = int(gap.argmax())
    return Shift(float(gap.sum() / 2), float(p_value), label, float(shares[0][label]), float(shares[1][label]))


def two_sample_test(first: Split, second: Split, seed: int) -> TwoSampleTest | None:
    """Train a random forest to separate the images of two splits (classifier two-sample test, Lopez-Paz and Oquab, ICLR 2017).

    The AUC is out of bag. Different class shares raise it as well as different kinds of images. None where a split has too
    few images.
    """
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.metrics import roc_auc_score

    count = min(len(first), len(second), SAMPLE)
    if count < MIN_IMAGES:
        return None
    generator = np.random.default_rng((seed, 4))
    sampled = [split.take(np.sort(generator.permutation(len(split))[:count])) for split in (first, second)]
    features = np.concatenate([downsampled(split.images, SIDE) for split in sampled]).reshape(2 * count, -1)
    is_second = np.repeat([0, 1], count)
    # Trees on half of the images separate as well, in two thirds of the time.
    forest = RandomForestClassifier(
        TREES, min_samples_leaf=3, max_samples=0.5, oob_score=True, n_jobs=cores(), random_state=seed
    )
    score = forest.fit(features, is_second).oob_decision_function_[:, 1]
    auc = float(roc_auc_score(is_second, score))
    half = 1.96 * _standard_error(auc, count)
    return TwoSampleTest(auc, max(auc - half, 0.0), min(auc + half, 1.0), 2 * count)


def _standard_error(auc: float, each: int) -> float:
    """Return the standard error of an AUC from `each` images of either split (Hanley and McNeil 1982)."""
    both_first, both_second = auc / (2 - auc), 2 * auc * auc / (1 + auc)
    variance = auc * (1 - auc) + (each - 1) * (both_first + both_second - 2 * auc * auc)
    return float(np.sqrt(max(variance, 0.0)) / each)
