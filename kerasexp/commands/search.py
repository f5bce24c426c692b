"""`search`: the best values of an experiment's domains."""

from __future__ import annotations

from typing import Annotated

import typer

from kerasexp.commands.options import ExperimentFile, Jobs, Overrides, RunDir, announce_name, interrupted, option
from kerasexp.errors import Interrupted, Problem, UserError


def search(
    experiment: ExperimentFile,
    overrides: Overrides = None,
    run_dir: RunDir = None,
    extend: Annotated[
        bool, typer.Option("--extend", help="Continue a random or bayesian search whose domains were narrower.")
    ] = False,
    jobs: Jobs = 1,
):
    """Search for the best values of an experiment's domains.

    The same command continues a search that was stopped. The last line printed is its directory, with best.yaml in it.

    Example: python -m kerasexp search experiments/part2_search.yaml --set search.max_trials=10
    """
    from kerasexp.config import Search, load
    from kerasexp.console import Console

    overrides = overrides or []
    asked = load(experiment, overrides)
    if not isinstance(asked, Search):
        message = (
            "has no domain to search; write domains in place of values, such as "
            "learning_rate: {float: [0.0001, 0.01], sampling: log}"
        )
        raise UserError(Problem(message, str(experiment)))
    from kerasexp.backend import import_tensorflow

    import_tensorflow()
    from kerasexp.searches.run import run_search

    announce_name(experiment, asked.name, Console())
    try:
        print(run_search(asked, run_dir, extend, jobs, Console()))
    except Interrupted as stop:
        given = [*option("--run-dir", run_dir), *option("--jobs", jobs, 1)]
        raise interrupted(stop, "search", experiment, overrides, *given) from None
