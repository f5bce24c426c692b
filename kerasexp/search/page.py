"""The page of a search: one HTML file with the best trials, what mattered, and how the winner fared with other seeds."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from kerasexp.config.space import Domain
from kerasexp.plots.search_trials import (
    plot_best_so_far,
    plot_importance,
    plot_parallel,
    plot_slices,
    plot_trial_curves,
)
from kerasexp.report.html import Plot, draw, render
from kerasexp.search.directory import SearchDirectory
from kerasexp.search.results import Importance, SearchResults, as_number, importance
from kerasexp.search.table import short_names, value_text
from kerasexp.storage import write_bytes, write_text

# The most important of more are drawn.
MOST_SLICES, MOST_AXES = 12, 8


def write_search_page(directory: SearchDirectory, results: SearchResults, confirmation: Path | None) -> None:
    """Draw the search's figures into its `plots`, and write the page with them inside.

    Args:
        directory: of the search.
        results: with one trial at least that has a score.
        confirmation: directory of the study of the winner; None where there is none.
    """
    images = []
    directory.plots.mkdir(exist_ok=True)
    found = importance(results)
    for plot in _plots(results, found):
        images.append(draw(plot))
        write_bytes(directory.plots / f"{plot.name}.png", images[-1].png)
    domains = results.search.space.domains
    names = short_names(domains)
    content = {
        "results": results,
        "objective": results.search.settings.objective,
        "names": [names[name] for name in domains],
        "rows": [_row(trial, domains) for trial in (*results.ranked, *_without_rank(results))],
        "counts": {status: sum(t.status == status for t in results.trials) for status in _statuses(results)},
        "domains": [(name, str(domain)) for name, domain in domains.items()],
        "importance": found,
        "images": images,
        "confirmed": _confirmed(directory, confirmation),
    }
    write_text(directory.page, render("search.html", content))


def _row(trial, domains: dict[str, Domain]) -> dict[str, Any]:
    cells = [value_text(trial.values[name]) if name in trial.values else "–" for name in domains]
    return {"trial": trial, "cells": cells}


def _without_rank(results: SearchResults):
    return [trial for trial in results.trials if trial.status != "finished"]


def _statuses(results: SearchResults) -> list[str]:
    return list(dict.fromkeys(trial.status for trial in results.trials))


def _confirmed(directory: SearchDirectory, confirmation: Path | None) -> dict[str, Any] | None:
    """Return what the study of the winner says: where its page is, figures of each variant, and what may be concluded."""
    if confirmation is None:
        return None
    study = json.loads((confirmation / "study.json").read_text(encoding="utf-8"))
    lines = (confirmation / "table.md").read_text(encoding="utf-8").splitlines()
    return {
        "page": str((confirmation / "study.html").relative_to(directory.path)),
        "rows": [
            [variant["name"], *(_with_spread(variant["figures"].get(f"{split}_accuracy")) for split in ("val", "test"))]
            for variant in study["variants"]
        ],
        "seeds": len(study["variants"][0]["runs"]),
        "sentences": [line.removeprefix("- ") for line in lines if line.startswith("- ")],
    }


def _with_spread(found: dict[str, float] | None) -> str:
    if found is None:
        return "–"
    return f"{found['mean']:.4f}" + ("" if found["sd"] is None else f" ± {found['sd']:.4f}")


def _plots(results: SearchResults, found: Importance | None) -> Iterator[Plot]:
    objective, trials = results.search.settings.objective, results.trials
    best = results.best
    yield Plot(
        "Over time",
        "best_so_far",
        f"{objective} of each trial, at the minute in which it ended, and the best one so far.",
        f"The best {objective} is {best.score:.4f}, after {best.ended / 60:.1f} minutes.",
        plot_best_so_far(
            [trial.ended / 60 for trial in trials],
            [np.nan if trial.score is None else trial.score for trial in trials],
            [np.nan if score is None else score for score in results.best_so_far()],
            objective,
        ),
    )
    made = [trial for trial in trials if trial.curve and trial.status != "repeated"]
    gone_on = {trial.parent for trial in made}
    longest = max(trial.epochs for trial in made)
    quantity = "loss on val" if objective == "val_loss" else "accuracy on val"
    yield Plot(
        "Over time",
        "curves",
        f"{quantity[0].upper()}{quantity[1:]} of each trial after each epoch. A cross: it ended there, before others did.",
        f"Curves of {len(made)} trials.",
        plot_trial_curves(
            [trial.curve for trial in made],
            next(k for k, trial in enumerate(made) if trial.id == best.id),
            [trial.epochs < longest and trial.id not in gone_on for trial in made],
            quantity,
        ),
    )
    yield from _plots_of_values(results, found)


def _plots_of_values(results: SearchResults, found: Importance | None) -> Iterator[Plot]:
    objective, trials = results.search.settings.objective, results.ranked
    domains = results.search.space.domains
    names, sign = short_names(domains), 1 if results.objective[1] == "max" else -1
    if found is not None:
        yield Plot(
            "What mattered",
            "importance",
            "Permutation importance of each searched value for a random forest's guess of the score, with its standard "
            f"deviation over shuffles. The forest's R² on trials that its trees have not seen is {found.r2:.2f}"
            + ("; it has learned little, and the bars say little." if found.r2 < 0.3 else "."),
            "; ".join(f"{names.get(n, n)} {m:.2f}" for n, m in zip(found.names, found.means, strict=True)),
            plot_importance([names.get(name, name) for name in found.names], found.means, found.sds),
        )
    order = [name for name in found.names if name in domains] if found is not None else [*domains]
    order, axes = order[:MOST_SLICES], order[:MOST_AXES]
    mixed = " Trials of few epochs are among them." if len({trial.epochs for trial in trials}) > 1 else ""
    if len(trials) > 1:
        yield Plot(
            "What mattered",
            "parallel",
            "Each trial as a line through its values, in the colour of its score, the best in red; yellow is better."
            + mixed,
            f"{len(trials)} trials over {len(axes)} searched values.",
            plot_parallel(
                [names[name] for name in axes],
                [_marks(domains[name]) for name in axes],
                np.array([[as_number(domains[name], trial.values) for name in axes] for trial in trials]),
                np.array([sign * trial.score for trial in trials]),
            ),
        )
    where = {name: [trial for trial in trials if name in trial.values] for name in order}
    order = [name for name in order if where[name]]
    yield Plot(
        "What mattered",
        "slices",
        f"{objective} against each searched value alone, in the trials in which it counted.{mixed}",
        f"{len(order)} panels.",
        plot_slices(
            [names[name] for name in order],
            [[_place(domains[name], trial.values[name]) for trial in where[name]] for name in order],
            [_words(domains[name]) for name in order],
            [(domains[name].low, domains[name].high) if domains[name].log else None for name in order],
            [[trial.score for trial in where[name]] for name in order],
            objective,
        ),
    )


def _marks(domain: Domain) -> list[tuple[float, str]]:
    extremes = domain.extremes()
    return [(as_number(domain, {domain.name: value}), value_text(value)[:18]) for value in extremes]


def _words(domain: Domain) -> list[str] | None:
    return [value_text(value) for value in domain.extremes()] if domain.kind in ("choice", "bool") else None


def _place(domain: Domain, value: Any) -> float:
    return domain.extremes().index(value) if domain.kind in ("choice", "bool") else value
