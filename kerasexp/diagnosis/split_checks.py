"""How classes and images are spread over the splits: what is missing, what is rare, whether train and test are alike."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kerasexp.data.prepared_data import Split
from kerasexp.diagnosis.downsampling import reduced
from kerasexp.environment import cores

# A class with less than this share of the images of the median one is rare.
RARE = 0.2
# So few images of a class teach little, and tell less, whatever the others have.
FEW = 10
SIGNIFICANT = 0.001
# Shares of classes that differ by less, in all, change no figure that one would report.
SMALL_SHIFT = 0.02
# A forest that tells two splits apart so well sees something that matters.
APART = 0.6
# The classifier needs no more images of either split, none larger, and cannot do with fewer.
SAMPLE, SIDE, FEWEST, TREES = 2000, 14, 20, 100


@dataclass(frozen=True)
class ClassCounts:
    """Images of each class in one split.

    Attributes:
        counts: int64 [classes].
        missing: labels without an image.
        rare: labels with less than a fifth of the median class's images.
        few: labels with fewer than ten images, apart from those that have none.
    """

    counts: np.ndarray
    missing: list[int]
    rare: list[int]
    few: list[int]


@dataclass(frozen=True)
class Shift:
    """How far two splits differ in their classes' shares.

    Attributes:
        distance: total variation, 0 for equal shares and 1 for no common class.
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
class TwoSample:
    """How well a classifier tells the images of two splits apart.

    Attributes:
        auc: 0.5 for not at all, 1 for always; with `low` and `high`, its 95 % interval.
        images: of both splits, that it was tried on.
    """

    auc: float
    low: float
    high: float
    images: int

    @property
    def matters(self) -> bool:
        return self.low >= APART


def count_classes(split: Split, classes: int) -> ClassCounts:
    """Count the images of each class."""
    counts = np.bincount(split.labels, minlength=classes)
    typical = np.median(counts[counts > 0]) if counts.any() else 0
    return ClassCounts(
        counts,
        np.flatnonzero(counts == 0).tolist(),
        np.flatnonzero((counts > 0) & (counts < RARE * typical)).tolist(),
        np.flatnonzero((counts > 0) & (counts < FEW)).tolist(),
    )


def compare_shares(first: np.ndarray, second: np.ndarray) -> Shift | None:
    """Compare the classes' shares in two splits, int [classes] each; None where one of them is empty."""
    from scipy.stats import chi2_contingency

    if not first.any() or not second.any():
        return None
    shares = first / first.sum(), second / second.sum()
    gap = np.abs(shares[0] - shares[1])
    present = (first + second) > 0
    p_value = chi2_contingency(np.stack([first, second])[:, present]).pvalue if present.sum() > 1 else 1.0
    label = int(gap.argmax())
    return Shift(float(gap.sum() / 2), float(p_value), label, float(shares[0][label]), float(shares[1][label]))


def tell_apart(first: Split, second: Split, seed: int) -> TwoSample | None:
    """Let a random forest tell the images of two splits apart (Lopez-Paz and Oquab, ICLR 2017).

    It is tried on the images that each of its trees has not seen. It sees the shares of the classes as well as images of
    another kind. None where a split has too few images.
    """
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.metrics import roc_auc_score

    count = min(len(first), len(second), SAMPLE)
    if count < FEWEST:
        return None
    generator = np.random.default_rng((seed, 4))
    taken = [split.images[np.sort(generator.permutation(len(split))[:count])] for split in (first, second)]
    features = reduced(np.concatenate(taken), SIDE).reshape(2 * count, -1)
    side = np.repeat([0, 1], count)
    # Trees of half as many images tell as well, in two thirds of the time.
    forest = RandomForestClassifier(
        TREES, min_samples_leaf=3, max_samples=0.5, oob_score=True, n_jobs=cores(), random_state=seed
    )
    seen = forest.fit(features, side).oob_decision_function_[:, 1]
    auc = float(roc_auc_score(side, seen))
    half = 1.96 * _standard_error(auc, count)
    return TwoSample(auc, max(auc - half, 0.0), min(auc + half, 1.0), 2 * count)


def _standard_error(auc: float, each: int) -> float:
    """Of an AUC from `each` images of either side (Hanley and McNeil 1982)."""
    both_first, both_second = auc / (2 - auc), 2 * auc * auc / (1 + auc)
    variance = auc * (1 - auc) + (each - 1) * (both_first + both_second - 2 * auc * auc)
    return float(np.sqrt(max(variance, 0.0)) / each)
