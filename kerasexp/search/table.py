"""The trials of a search as lines of text and as CSV."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from kerasexp.config.setting_text import short_names, value_text
from kerasexp.data.file_accounting import counted
from kerasexp.search.results import SearchResults, Trial
from kerasexp.storage import csv_text

# Trials that are listed at the end of a search.
LISTED = 5


def trials_csv(results: SearchResults) -> str:
    """Return one row per trial, in the order of their ends, with a column for each domain."""
    domains = list(results.search.space.domains)
    header = ["trial", "status", results.search.settings.objective, "epochs", "seconds", "ended_at", "parameters"]
    rows = (
        [t.id, t.status, t.score, t.epochs, t.seconds, t.ended, t.parameters]
        + [value_text(t.values[name]) if name in t.values else "" for name in domains]
        + [t.parent or "", t.cause or ""]
        for t in results.trials
    )
    return csv_text([*header, *domains, "parent", "cause"], rows)


def trial_line(trial: Trial, results: SearchResults, total: int | None = None) -> str:
    """Return a line about a trial that has just ended, and the best so far; `total` is the number of trials, if known."""
    count = f"{len(results.trials):>4}" if total is None else f"{len(results.trials):>{len(str(total))}}/{total}"
    begin = f"{count}  trial {trial.id}: "
    values, best = values_text(trial.values), results.best
    if trial.score is None:
        return f"{begin}{trial.status}: {trial.cause}; {values}"
    if trial.status == "repeated":
        return f"{begin}the same experiment as trial {trial.parent}"
    scored = f"{results.search.settings.objective} {trial.score:.4f}, {counted(trial.epochs, 'epoch')}, {trial.seconds:.0f} s"
    # The values of the other trials are in trials.csv.
    if best is None or best.id == trial.id:
        return f"{begin}{scored}; the best so far: {values}"
    return f"{begin}{scored}; best {best.score:.4f}, trial {best.id}"


def best_lines(results: SearchResults) -> Iterator[str]:
    """Yield lines about the best trials."""
    name, ranked = results.search.settings.objective, results.ranked
    yield f"the best of {counted(len(results.trials), 'trial')}:"
    tied = sum(trial.score == ranked[0].score for trial in ranked)
    if tied > 1 and name != "val_loss":
        yield f"  {tied} trials tie in {name}; the one with the lowest val_loss is the best"
    for trial in ranked[:LISTED]:
        yield f"  {name} {trial.score:.4f}  trial {trial.id}: {values_text(trial.values)}"


def values_text(values: dict[str, Any]) -> str:
    """Return the values of a trial on one line, with short names."""
    return ", ".join(f"{short_names(values)[name]} {value_text(value)}" for name, value in values.items())
