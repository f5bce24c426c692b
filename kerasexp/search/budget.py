"""How many trials a search has at most."""

from __future__ import annotations

from kerasexp.config import Search

DEFAULT_TRIALS, UNLIMITED = 30, 10**6


def max_trials(search: Search) -> int:
    """Return the largest number of trials of a search."""
    if search.settings.max_trials is not None:
        return search.settings.max_trials
    return DEFAULT_TRIALS if search.settings.algorithm in ("random", "bayesian") else UNLIMITED
