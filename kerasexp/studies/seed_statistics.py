"""Statistics over seeds: the spread of a metric, and whether two variants differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from kerasexp.evaluation.intervals import holm

# Up to this many pairs all sign flips are tried; with more pairs, this many random ones.
EXACT_PAIRS, FLIPS = 14, 20_000
LEVEL = 0.05


@dataclass(frozen=True)
class Spread:
    """A metric over seeds.

    Attributes:
        mean: of the values.
        sd: their standard deviation, with n - 1 in the denominator; None for a single value.
        low: lower end of the mean's 95 % interval (Student's t); None for a single value.
        high: its upper end.
        count: the number of values.
    """

    mean: float
    sd: float | None
    low: float | None
    high: float | None
    count: int


@dataclass(frozen=True)
class SeedDifference:
    """A variant's metric minus that of the first variant, over the seeds that both have.

    Attributes:
        spread: of the differences.
        p_value: of the sign-flip test, adjusted for the number of variants (Holm 1979).
        verdict: the conclusion, in words.
    """

    spread: Spread
    p_value: float
    verdict: str


def spread(values: Sequence[float]) -> Spread:
    """Return mean, standard deviation and the 95 % interval of the mean."""
    from scipy.stats import t

    mean, count = float(np.mean(values)), len(values)
    if count == 1:
        return Spread(mean, None, None, None, 1)
    sd = float(np.std(values, ddof=1))
    half = float(t.ppf(1 - LEVEL / 2, count - 1) * sd / np.sqrt(count))
    return Spread(mean, sd, mean - half, mean + half, count)


def sign_flip(differences: Sequence[float]) -> float:
    """Return the two-sided p-value of the sign-flip test.

    Null hypothesis: each paired difference is as likely positive as negative. p is the share of all sign flips (for many
    pairs, of `FLIPS` seeded random ones) whose mean is at least as far from 0. With n pairs p is at least 2 / 2^n: fewer
    than 6 pairs never reach 0.05.
    """
    values = np.asarray(differences, np.float64)
    if len(values) <= EXACT_PAIRS:
        signs = np.array(list(product((1, -1), repeat=len(values))))
    else:
        drawn = np.random.default_rng(0).choice((1, -1), (FLIPS, len(values)))
        signs = np.vstack([np.ones(len(values)), drawn])
    # Sums that are mathematically equal differ in their last digits.
    return float((np.abs(signs @ values) >= abs(values.sum()) * (1 - 1e-9)).mean())


def differences_from_first(metrics: dict[str, dict[int, float]]) -> dict[str, SeedDifference | None]:
    """Compare each variant with the first, seed by seed.

    Args:
        metrics: by variant and seed, a metric of which more is better.

    Returns:
        By variant; None for the first, and for a variant that has no seed in common with it.
    """
    first, *others = metrics
    pairs = {
        name: [metrics[name][seed] - metrics[first][seed] for seed in metrics[name] if seed in metrics[first]]
        for name in others
    }
    compared = [name for name in others if pairs[name]]
    adjusted = dict(zip(compared, holm([sign_flip(pairs[name]) for name in compared]), strict=True))
    return {first: None} | {
        name: SeedDifference(spread(pairs[name]), adjusted[name], _verdict(pairs[name], adjusted[name], len(compared)))
        if name in adjusted
        else None
        for name in others
    }


def _verdict(differences: list[float], p_value: float, comparisons: int) -> str:
    count = len(differences)
    if count == 1:
        return "one seed cannot distinguish a difference from chance"
    if p_value < LEVEL:
        return f"{'better' if np.mean(differences) > 0 else 'worse'}, by the sign-flip test over {count} seeds"
    claimed = f"no difference can be claimed at {count} seeds"
    if count < 3 or 2 * comparisons / 2**count < LEVEL:
        return claimed
    # With so few seeds the sign-flip test cannot reach the level, so the t-test is worth a mention.
    from scipy.stats import ttest_1samp

    same = bool(np.ptp(differences) < 1e-12)
    p_normal = (0.0 if differences[0] else 1.0) if same else float(ttest_1samp(differences, 0).pvalue)
    if p_normal * comparisons < LEVEL:
        way = "above" if np.mean(differences) > 0 else "below"
        return (
            f"{claimed} by the sign-flip test, which needs more; {way} by a t-test, which assumes a normal distribution"
        )
    return claimed
