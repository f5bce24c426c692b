"""Accuracies on the same images: their difference, its interval, and whether one can be claimed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kerasexp.evaluation.intervals import holm, mcnemar, paired_interval

SIGNIFICANT = 0.05


@dataclass(frozen=True)
class Difference:
    """An accuracy minus the first one, on the same images.

    Attributes:
        difference: of the accuracies.
        low, high: its 95 % interval.
        only_first, only_this: number of images that only one of the two classifies correctly.
        p_value: of McNemar's exact test; with more than one difference adjusted for their number (Holm).
        verdict: the conclusion, in words.
    """

    difference: float
    low: float
    high: float
    only_first: int
    only_this: int
    p_value: float
    verdict: str


def differences(first: np.ndarray, others: Sequence[np.ndarray], names: Sequence[str]) -> list[Difference]:
    """Return the difference of each of the others from the first.

    Args:
        first: bool [n], whether the first is right.
        others: the same for the others, in the same order of images.
        names: of the first and of the others.
    """
    tables = [(int((first & ~other).sum()), int((other & ~first).sum())) for other in others]
    p_values, found = holm([mcnemar(*table) for table in tables]), []
    for name, (only_first, only_this), p_value in zip(names[1:], tables, p_values, strict=True):
        difference = (only_this - only_first) / len(first)
        low, high = paired_interval(only_first, only_this, len(first))
        verdict = (
            "no difference can be claimed"
            if p_value >= SIGNIFICANT
            else f"{name if difference > 0 else names[0]} is better on these images"
        )
        found.append(Difference(difference, low, high, only_first, only_this, p_value, verdict))
    return found
