"""The page of a search: one HTML file with the trials, the importance of the values, and the confirmation of the winner."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np

from kerasexp.config.search_section import Search
from kerasexp.config.setting_text import short_names, value_text
from kerasexp.config.space_section import Domain
from kerasexp.config.training_section import Training
from kerasexp.data.file_accounting import counted
from kerasexp.plots.search_plots import (
    plot_best_so_far,
    plot_importance,
    plot_parallel,
    plot_slices,
    plot_trial_curves,
)
from kerasexp.report.html import DrawnPlot, Plot, render
from kerasexp.report.report_missing_parts import Failure, draw_all, rendered
from kerasexp.search.directory import SearchDirectory
from kerasexp.search.results import Importance, SearchResults, Trial, axis_position, axis_ticks, importance
from kerasexp.storage import write_bytes, write_text
from kerasexp.studies.run import FinishedStudy
from kerasexp.studies.table import difference_sentences, with_spread

# With more domains, the most important ones are drawn.
MAX_SLICES, MAX_AXES = 12, 8
# Sections of the page that hold plots.
PROGRESS, IMPORTANCE = "Progress", "Importance of the values"


def write_search_page(directory: SearchDirectory, results: SearchResults, confirmation: FinishedStudy | None) -> None:
    """Draw the plots of a search into its folder `plots`, and write the page with them embedded.

    Args:
        directory: of the search.
        results: with at least one score.
        confirmation: the study of the winner, or None.
    """
    images = []
    directory.plots.mkdir(exist_ok=True)
    found = importance(results)
    for plot in draw_all(_plots(results, found), PROGRESS, "plots"):
        images.append(plot)
        if isinstance(plot, DrawnPlot):
            write_bytes(directory.plots / f"{plot.name}.png", plot.png)
    domains = results.search.space.domains
    names, unranked = short_names(domains), [trial for trial in results.trials if trial.status != "finished"]
    content = {
        "results": results,
        "objective": results.search.settings.objective,
        "names": [names[name] for name in domains],
        "rows": [_row(trial, domains) for trial in (*results.ranked, *unranked)],
        "counts": Counter(trial.status for trial in results.trials),
        "domains": [(name, str(domain)) for name, domain in domains.items()],
        "images": images,
        "sections": (PROGRESS, IMPORTANCE),
        "importance": found,
        "confirmed": confirmation and _confirmed(directory, confirmation),
    }
    failures = [plot for plot in images if isinstance(plot, Failure)]
    facts = [f"The best {results.search.settings.objective} is {results.best.score:.4f}, of trial {results.best.id}."]
    write_text(directory.page, rendered(failures, lambda: render("search.html", content), results.search.name, facts))


def _row(trial: Trial, domains: dict[str, Domain]) -> dict[str, Any]:
    cells = [value_text(trial.values[name]) if name in trial.values else "–" for name in domains]
    return {"trial": trial, "cells": cells}


def _confirmed(directory: SearchDirectory, study: FinishedStudy) -> dict[str, Any]:
    """Return what the page shows of the study of the winner."""
    return {
        "page": study.directory.page.relative_to(directory.path).as_posix(),
        "rows": [
            [variant.name, *(with_spread(variant.metrics.get(f"{split}_accuracy")) or "–" for split in ("val", "test"))]
            for variant in study.results.variants
        ],
        "seeds": len(study.results.study.seeds),
        "notes": study.results.notes,
        "differences": list(difference_sentences(study.results)),
    }


def _plots(results: SearchResults, found: Importance | None) -> Iterator[Plot]:
    objective, trials = results.search.settings.objective, results.trials
    best = results.best
    yield Plot(
        PROGRESS,
        "best_so_far",
        f"{objective} of each trial when it ended, and the best value so far.",
        f"The best {objective} is {best.score:.4f}, after {best.ended / 60:.1f} minutes.",
        lambda: plot_best_so_far(
            [trial.ended / 60 for trial in trials],
            [np.nan if trial.score is None else trial.score for trial in trials],
            [np.nan if score is None else score for score in results.best_so_far()],
            objective,
        ),
    )
    trained = [trial for trial in trials if trial.curve and trial.status != "repeated"]
    continued = {trial.parent for trial in trained}
    planned = [_planned_epochs(results.search, trial) for trial in trained]
    quantity = "loss on val" if objective == "val_loss" else "accuracy on val"
    yield Plot(
        PROGRESS,
        "curves",
        f"{quantity[0].upper()}{quantity[1:]} of each trial after each epoch. A cross marks a trial that ended early.",
        f"Curves of {counted(len(trained), 'trial')}.",
        lambda: plot_trial_curves(
            [trial.curve for trial in trained],
            next(k for k, trial in enumerate(trained) if trial.id == best.id),
            [t.epochs < most and t.id not in continued for t, most in zip(trained, planned, strict=True)],
            quantity,
        ),
    )
    yield from _plots_of_values(results, found)


def _planned_epochs(search: Search, trial: Trial) -> int:
    """Return for how many epochs the experiment of a trial trains if nothing ends it early."""
    training = search.space.keys_at(trial.values).get("training") or {}
    return training.get("epochs", Training.model_fields["epochs"].default)


def _plots_of_values(results: SearchResults, found: Importance | None) -> Iterator[Plot]:
    objective, trials = results.search.settings.objective, results.ranked
    domains = results.search.space.domains
    names, sign = short_names(domains), 1 if results.objective[1] == "max" else -1
    if found is not None:
        yield Plot(
            IMPORTANCE,
            "importance",
            found.sentence,
            "; ".join(f"{names.get(n, n)} {m:.2f}" for n, m in zip(found.names, found.means, strict=True)),
            lambda: plot_importance([names.get(name, name) for name in found.names], found.means, found.sds),
        )
    order = [name for name in found.names if name in domains] if found is not None else [*domains]
    order, axes = order[:MAX_SLICES], order[:MAX_AXES]
    mixed = (
        " Trials were trained for different numbers of epochs." if len({trial.epochs for trial in trials}) > 1 else ""
    )
    if len(trials) > 1:
        yield Plot(
            IMPORTANCE,
            "parallel",
            "Each line is a trial and passes through its values. Its colour is the score: yellow is better, and the best is red."
            + mixed,
            f"{len(trials)} trials over {len(axes)} searched values.",
            lambda: plot_parallel(
                [names[name] for name in axes],
                [axis_ticks(domains[name]) for name in axes],
                np.array([[axis_position(domains[name], trial.values) for name in axes] for trial in trials]),
                np.array([sign * trial.score for trial in trials]),
            ),
        )
    where = {name: [trial for trial in trials if name in trial.values] for name in order}
    order = [name for name in order if where[name]]
    yield Plot(
        IMPORTANCE,
        "slices",
        f"{objective} against each searched value, over the trials in which it is active.{mixed}",
        f"{len(order)} panels.",
        lambda: plot_slices(
            [names[name] for name in order],
            [[_position(domains[name], trial.values[name]) for trial in where[name]] for name in order],
            [_choices(domains[name]) for name in order],
            [(domains[name].low, domains[name].high) if domains[name].log else None for name in order],
            [[trial.score for trial in where[name]] for name in order],
            objective,
        ),
    )


def _choices(domain: Domain) -> list[str] | None:
    return [value_text(value) for value in domain.extremes()] if domain.kind in ("choice", "bool") else None


def _position(domain: Domain, value: Any) -> float:
    return domain.extremes().index(value) if domain.kind in ("choice", "bool") else value
