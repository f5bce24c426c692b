"""How important each searched value is so far, as the page that a search writes at its end has it.

A random forest is fitted, which takes about a second of one core. It is fitted again after new trials have ended, but takes at
most a twentieth of the time of a core.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from kerasexp.search.results import MIN_TRIALS_FOR_IMPORTANCE, Importance, SearchResults, importance

# Of the seconds that a forest took: how many of them to wait before the next.
REST = 20


@dataclass(frozen=True)
class FoundImportance:
    """An importance, or None if it cannot be estimated; for which ids and scores; what it took, and when it ended."""

    importance: Importance | None
    scores: tuple[tuple[str, float], ...]
    seconds: float
    ended: float

    @property
    def trials(self) -> int:
        """After how many finished trials it was estimated."""
        return len(self.scores)

    @property
    def reason(self) -> str:
        """Why it cannot be estimated."""
        if self.trials < MIN_TRIALS_FOR_IMPORTANCE:
            return f"It is estimated from {MIN_TRIALS_FOR_IMPORTANCE} finished trials on; there are {self.trials}."
        return "It cannot be estimated, because all scores are equal."


_found: dict[Path, FoundImportance] = {}
_one_at_a_time = Lock()


def importance_so_far(place: Path, results: SearchResults) -> FoundImportance:
    """Return the importance of the values for the trials that have finished, or for those of some seconds ago."""
    scores = tuple((trial.id, trial.score) for trial in results.ranked)
    with _one_at_a_time:
        held, now = _found.get(place), time.monotonic()
        if held is not None and (held.scores == scores or now - held.ended < REST * held.seconds):
            return held
        found = importance(results)
        ended = time.monotonic()
        _found[place] = FoundImportance(found, scores, ended - now, ended)
        return _found[place]
