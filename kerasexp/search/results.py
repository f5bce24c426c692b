"""The results of a search's trials, and how important each searched value is."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from kerasexp.config import Search
from kerasexp.config.setting_text import value_text
from kerasexp.config.space_section import Domain
from kerasexp.executors.tasks import Failure, FailureKind
from kerasexp.runs.directory import RunDirectory
from kerasexp.search.trial_order import place_of

# With fewer trials, a random forest learns nothing.
MIN_TRIALS_FOR_IMPORTANCE = 12
TREES, REPEATS = 100, 10
EPOCHS = "epochs"
# Below this R², the forest predicts the scores too poorly for its importances to mean much.
LOW_R2 = 0.3


@dataclass(frozen=True)
class Trial:
    """One trial that has ended.

    Attributes:
        id: keras-tuner's.
        values: the active values, by domain name.
        status: `finished`, `repeated` (its experiment equals that of an earlier trial), `not finite` (the loss was NaN or
            infinite) or `failed`.
        score: the objective on `val`, or None.
        epochs: of the model, including those of the trial that it continued.
        trained: epochs of this trial alone.
        seconds: of training.
        ended: when it ended, in seconds since the search started.
        parameters: of the model.
        curve: accuracy or loss on `val` after each epoch.
        cause: of its failure.
        parent: id of the trial that it continued or repeats.
        loss: on `val`, which ranks trials of equal score.
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
    loss: float | None = None

    @property
    def failure(self) -> Failure | None:
        """Why it has no score, or None if it has one."""
        if self.score is not None:
            return None
        return Failure(FailureKind.NON_FINITE_LOSS if self.status == "not finite" else FailureKind.OTHER, self.cause)

    def repeated(self, id: str, values: dict[str, Any], ended: float) -> Trial:
        """Return the result of another trial with the same experiment."""
        return replace(
            self, id=id, values=values, ended=ended, status="repeated", parent=self.id, trained=0, seconds=0.0
        )


@dataclass(frozen=True)
class Importance:
    """How important each searched value is for the score.

    Attributes:
        names: of the domains, and `epochs` if trials differ in these; the most important first.
        means, sds: fall of R² when a domain's values are shuffled: mean and standard deviation over shuffles.
        r2: out-of-bag R² of the random forest; at 0 or below it has learned nothing.
    """

    names: list[str]
    means: np.ndarray
    sds: np.ndarray
    r2: float

    @property
    def sentence(self) -> str:
        """What the numbers are, and how far they can be relied on."""
        reliability = "; it predicts poorly, so the importances are not reliable." if self.r2 < LOW_R2 else "."
        return (
            "Permutation importance of each searched value for a random forest that predicts the score, with its standard "
            f"deviation over shuffles. The forest's out-of-bag R² is {self.r2:.2f}{reliability}"
        )


@dataclass
class SearchResults:
    """All trials that have ended, in the order of their ends.

    Attributes:
        search: what was searched for.
        objective: a metric of `val`, and `max` or `min`.
        trials: the trials.
    """

    search: Search
    objective: tuple[str, str]
    trials: list[Trial] = field(default_factory=list)

    @property
    def ranked(self) -> list[Trial]:
        """The finished trials, best first; ties go to the lower loss, then to the earlier trial. Repeated ones are left out."""
        finished = (trial for trial in self.trials if trial.status == "finished")
        return sorted(finished, key=lambda trial: place_of(trial.score, trial.loss, self.objective[1]))

    @property
    def best(self) -> Trial | None:
        """The best trial, or None if none has finished."""
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
    failure: Failure | None,
    ended: float,
    parent: tuple[str, int] | None,
) -> Trial:
    """Read the result of a trial from its run.

    Args:
        run: its directory.
        id: of the trial.
        values: the active values, by domain name.
        objective: a metric of `val`, and its direction.
        failure: why it failed, or None.
        ended: when it ended, in seconds since the search started.
        parent: id and epochs of the trial that it continued, or None.
    """
    curve: list[float] = []
    with suppress(OSError, ValueError, KeyError), run.history.open(encoding="utf-8") as file:
        curve = [float(row[_column(objective[0])]) for row in csv.DictReader(file)]
    score, loss, epochs, seconds = None, None, len(curve), 0.0
    if failure is None:
        try:
            metrics = json.loads(run.metrics.read_text(encoding="utf-8"))
            score, loss = metrics["val"][objective[0]], metrics["val"]["loss"]
            epochs, seconds = metrics["epochs"], metrics["train_seconds"]
        except (OSError, ValueError, KeyError) as error:
            failure = Failure(FailureKind.OTHER, f"its metrics cannot be read: {error}")
    diverged = failure is not None and failure.kind is FailureKind.NON_FINITE_LOSS
    status = "finished" if failure is None else "not finite" if diverged else "failed"
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
        None if failure is None else failure.cause,
        parent[0] if parent else None,
        loss,
    )


def importance(results: SearchResults) -> Importance | None:
    """Return the permutation importance of each domain for a random forest that predicts the score (Breiman 2001).

    None if too few trials have a score, or all have the same one.
    """
    from sklearn.ensemble import RandomForestRegressor
    from sklearn.inspection import permutation_importance

    trials = [trial for trial in results.trials if trial.status == "finished"]
    scores = np.array([trial.score for trial in trials])
    if len(trials) < MIN_TRIALS_FOR_IMPORTANCE or np.ptp(scores) == 0:
        return None
    domains = list(results.search.space.domains.values())
    columns = {domain.name: [axis_position(domain, trial.values) for trial in trials] for domain in domains}
    # Hyperband trains most trials for few epochs. The forest must not blame their values for the low score.
    if len({trial.epochs for trial in trials}) > 1:
        columns[EPOCHS] = [float(trial.epochs) for trial in trials]
    table = np.array(list(columns.values())).T
    forest = RandomForestRegressor(TREES, oob_score=True, random_state=0).fit(table, scores)
    found = permutation_importance(forest, table, scores, n_repeats=REPEATS, random_state=0)
    order = np.argsort(-found.importances_mean, kind="stable")
    names = [list(columns)[k] for k in order]
    return Importance(names, found.importances_mean[order], found.importances_std[order], float(forest.oob_score_))


def axis_position(domain: Domain, values: Mapping[str, Any]) -> float:
    """Return the position of a domain's value on its axis, from 0 to 1; -1 if the domain is not active."""
    if domain.name not in values:
        return -1.0
    value = values[domain.name]
    if domain.kind in ("choice", "bool"):
        extremes = domain.extremes()
        return extremes.index(value) / max(len(extremes) - 1, 1)
    low, high, value = (np.log(x) if domain.log else x for x in (domain.low, domain.high, value))
    return float((value - low) / (high - low))


def axis_ticks(domain: Domain) -> list[tuple[float, str]]:
    """Return the positions of a domain's values, or of the ends of its range, on its axis, and short texts of them."""
    return [(axis_position(domain, {domain.name: value}), value_text(value)[:18]) for value in domain.extremes()]


def _column(metric: str) -> str:
    # The history has no macro F1; its curve is the accuracy.
    return "val_loss" if metric == "loss" else "val_accuracy"
