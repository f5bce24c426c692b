"""What the trials of a search gave, and which of the searched values it hung on."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from kerasexp.config import Search
from kerasexp.config.space import Domain
from kerasexp.runs.directory import RunDirectory

# A forest of fewer trials knows nothing.
LEAST_FOR_IMPORTANCE = 12
TREES, REPEATS = 100, 10
NOT_FINITE, EPOCHS = "not finite", "epochs"


@dataclass(frozen=True)
class Trial:
    """One trial that has ended.

    Attributes:
        id: keras-tuner's.
        values: by the names of the domains, those that counted.
        status: `finished`, `repeated` (its experiment is that of an earlier trial), `not finite` (the loss was NaN or
            infinite) or `failed`.
        score: the objective on `val`; None where there is none.
        epochs: of the model, those of the trial that it went on from among them.
        trained: of these, its own.
        seconds: how long it trained.
        ended: seconds of search after which it had ended.
        parameters: of the model.
        curve: the objective after each epoch.
        cause: of its failure.
        parent: id of the trial that it went on from, or that it repeats.
    """

    id: str
    values: dict[str, Any]
    status: str
    score: float | None
    epochs: int = 0
    trained: int = 0
    seconds: float = 0.0
    ended: float = 0.0
    parameters: int | None = None
    curve: list[float] = field(default_factory=list)
    cause: str | None = None
    parent: str | None = None

    def repeated(self, id: str, values: dict[str, Any], ended: float) -> Trial:
        """Return this one as the result of another trial that would be the same."""
        return replace(
            self, id=id, values=values, ended=ended, status="repeated", parent=self.id, trained=0, seconds=0.0
        )


@dataclass(frozen=True)
class Importance:
    """How much of the differences between trials hangs on each searched value.

    Attributes:
        names: of the domains, and `epochs` where these differ, the most important first.
        means, sds: by how much R² falls where a domain's values are shuffled, and its standard deviation over shuffles.
        r2: of a random forest on trials that each of its trees has not seen; near or below 0 it has learned nothing.
    """

    names: list[str]
    means: np.ndarray
    sds: np.ndarray
    r2: float


@dataclass
class SearchResults:
    """All trials that have ended, in the order in which they did.

    Attributes:
        search: what was searched for.
        objective: which figure of `val`, and `max` or `min`.
        trials: the trials.
    """

    search: Search
    objective: tuple[str, str]
    trials: list[Trial] = field(default_factory=list)

    @property
    def ranked(self) -> list[Trial]:
        """The trials that finished, the best first; of equal ones the earlier, and no repeated ones."""
        sign = -1 if self.objective[1] == "max" else 1
        return sorted((t for t in self.trials if t.status == "finished"), key=lambda trial: sign * trial.score)

    @property
    def best(self) -> Trial | None:
        """The best trial, or None where none has finished."""
        return next(iter(self.ranked), None)

    def best_so_far(self) -> list[float | None]:
        """Return the best score after each trial."""
        better, found, best = (max if self.objective[1] == "max" else min), [], None
        for trial in self.trials:
            if trial.score is not None:
                best = trial.score if best is None else better(best, trial.score)
            found.append(best)
        return found


def read_trial(
    run: RunDirectory,
    id: str,
    values: dict[str, Any],
    objective: tuple[str, str],
    cause: str | None,
    ended: float,
    parent: tuple[str, int] | None,
) -> Trial:
    """Return what a trial's run left.

    Args:
        run: its directory.
        id: of the trial.
        values: of the domains.
        objective: which figure of `val`, and its direction.
        cause: why it failed; None where it has not.
        ended: seconds of search after which it had ended.
        parent: the trial that it went on from, and how many epochs that had.
    """
    curve: list[float] = []
    with suppress(OSError, ValueError, KeyError), run.history.open(encoding="utf-8") as file:
        curve = [float(row[_column(objective[0])]) for row in csv.DictReader(file)]
    score, epochs, seconds = None, len(curve), 0.0
    if cause is None:
        try:
            metrics = json.loads(run.metrics.read_text(encoding="utf-8"))
            score, epochs, seconds = metrics["val"][objective[0]], metrics["epochs"], metrics["train_seconds"]
        except (OSError, ValueError, KeyError) as error:
            cause = f"its figures cannot be read: {error}"
    status = "finished" if cause is None else NOT_FINITE if "not finite" in cause else "failed"
    return Trial(
        id,
        values,
        status,
        score,
        epochs,
        epochs - (parent[1] if parent else 0),
        seconds,
        ended,
        run.read_manifest().get("parameters"),
        [value for value in curve if np.isfinite(value)],
        cause,
        parent[0] if parent else None,
    )


def importance(results: SearchResults) -> Importance | None:
    """Return the permutation importance of each domain for a random forest's guess of the score (Breiman 2001).

    None where too few trials have a score, or all have the same.
    """
    from sklearn.ensemble import RandomForestRegressor
    from sklearn.inspection import permutation_importance

    trials = [trial for trial in results.trials if trial.status == "finished"]
    scores = np.array([trial.score for trial in trials])
    if len(trials) < LEAST_FOR_IMPORTANCE or np.ptp(scores) == 0:
        return None
    domains = list(results.search.space.domains.values())
    columns = {domain.name: [as_number(domain, trial.values) for trial in trials] for domain in domains}
    # Hyperband gives most trials few epochs, which must not be taken for a fault of their values.
    if len({trial.epochs for trial in trials}) > 1:
        columns[EPOCHS] = [float(trial.epochs) for trial in trials]
    table = np.array(list(columns.values())).T
    forest = RandomForestRegressor(TREES, oob_score=True, random_state=0).fit(table, scores)
    found = permutation_importance(forest, table, scores, n_repeats=REPEATS, random_state=0)
    order = np.argsort(-found.importances_mean, kind="stable")
    names = [list(columns)[k] for k in order]
    return Importance(names, found.importances_mean[order], found.importances_std[order], float(forest.oob_score_))


def as_number(domain: Domain, values: Mapping[str, Any]) -> float:
    """Return a domain's value as a place from 0 to 1 on its axis; -1 where it does not count."""
    if domain.name not in values:
        return -1.0
    value = values[domain.name]
    if domain.kind in ("choice", "bool"):
        extremes = domain.extremes()
        return extremes.index(value) / max(len(extremes) - 1, 1)
    low, high, value = (np.log(x) if domain.log else x for x in (domain.low, domain.high, value))
    return float((value - low) / (high - low))


def _column(figure: str) -> str:
    # Macro F1 is not followed from epoch to epoch; the accuracy is.
    return "val_loss" if figure == "loss" else "val_accuracy"
