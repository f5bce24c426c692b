"""Confidence intervals and tests: of rates, of differences, and of averages over classes."""

from __future__ import annotations

import numpy as np

from kerasexp.evaluation.metric_limits import resample_chunks

Z = 1.959963984540054  # of 95 %


def wilson_interval(rate: float, count: int) -> tuple[float, float]:
    """Return the 95 % interval of a rate observed in `count` trials (Wilson 1927), which stays in 0..1."""
    if count == 0:
        return 0.0, 1.0
    middle = (rate + Z * Z / (2 * count)) / (1 + Z * Z / count)
    half = Z / (1 + Z * Z / count) * np.sqrt(rate * (1 - rate) / count + Z * Z / (4 * count * count))
    return float(max(middle - half, 0.0)), float(min(middle + half, 1.0))


def paired_interval(only_first: int, only_second: int, count: int) -> tuple[float, float]:
    """Return the 95 % interval of the second's accuracy less the first's on the same images (Bonett and Price 2012).

    Args:
        only_first: number of images that only the first classifies correctly.
        only_second: number of images that only the second classifies correctly.
        count: number of all images.
    """
    first, second = (only_first + 1) / (count + 2), (only_second + 1) / (count + 2)
    half = Z * np.sqrt((first + second - (second - first) ** 2) / (count + 2))
    return float(max(second - first - half, -1.0)), float(min(second - first + half, 1.0))


def mcnemar(only_first: int, only_second: int) -> float:
    """Return the two-sided p-value of McNemar's exact test: null hypothesis: both err on equally many images."""
    from scipy.special import bdtr  # scipy.stats.binomtest gives the same, and its import takes most of a second

    return min(2 * float(bdtr(min(only_first, only_second), only_first + only_second, 0.5)), 1.0)


def holm(p_values: list[float]) -> list[float]:
    """Return the p-values, corrected for multiple tests (Holm 1979)."""
    adjusted, highest = [0.0] * len(p_values), 0.0
    for rank, position in enumerate(np.argsort(p_values, kind="stable")):
        highest = max(highest, min((len(p_values) - rank) * p_values[position], 1.0))
        adjusted[position] = highest
    return adjusted


def macro_intervals(y_true: np.ndarray, y_pred: np.ndarray, classes: int) -> dict[str, tuple[float, float]]:
    """Return the 95 % bootstrap intervals of macro recall and macro F1, over the classes with images.

    Resampling images with replacement is a multinomial draw over the filled cells of the confusion matrix. The draws are
    seeded. The average of a resample is over the classes in it. With very many filled cells there are fewer resamples.
    """
    from scipy.sparse import csr_array

    cells, counts = np.unique(y_true * classes + y_pred, return_counts=True)
    true, predicted = cells // classes, cells % classes
    every, generator = np.arange(len(cells)), np.random.default_rng(0)
    sums = [
        csr_array((weights.astype(np.float64), (every, labels)), (len(cells), classes))
        for labels, weights in (
            (true, np.ones(len(cells))),
            (predicted, np.ones(len(cells))),
            (true, true == predicted),
        )
    ]
    recall, f1 = [], []
    for number in resample_chunks(len(cells) + classes):
        resamples = generator.multinomial(len(y_true), counts / len(y_true), number)
        # In C order, so that a sum over classes is added in the same order however many resamples are drawn at a time.
        support, guessed, correct = (np.ascontiguousarray(resamples @ each) for each in sums)
        present = (support > 0).sum(axis=1)
        recall.append((correct / np.maximum(support, 1)).sum(axis=1) / present)
        f1.append((2 * correct / np.maximum(support + guessed, 1)).sum(axis=1) / present)
    return {
        name: tuple(float(v) for v in np.quantile(np.concatenate(values), (0.025, 0.975)))
        for name, values in (("macro_recall", recall), ("macro_f1", f1))
    }
