"""`search`: the best values of an experiment's domains."""

from __future__ import annotations

from typing import Annotated

import typer

from kerasexp.commands.options import (
    ExperimentFile,
    Jobs,
    Overrides,
    RunDir,
    TrustCode,
    announce_name,
    interrupted,
    option,
)
from kerasexp.errors import Interrupted


def search(
    experiment: ExperimentFile,
    overrides: Overrides = None,
    run_dir: RunDir = None,
    extend: Annotated[
        bool, typer.Option("--extend", help="Continue a random or bayesian search whose domains were narrower.")
    ] = False,
    jobs: Jobs = 1,
    trust_code: TrustCode = False,
):
    """Search for the best values of an experiment's domains.

    The same command continues a search that was stopped. The last line printed is its directory, with best.yaml in it.

    Example: python -m kerasexp search experiments/part2_search.yaml --set search.max_trials=10
    """
    from kerasexp.api.launch_from_python import launch_search
    from kerasexp.config import load
    from kerasexp.console import Console

    overrides = overrides or []
    asked = load(experiment, overrides)
    from kerasexp.custom.trust import approve

    approve(asked, experiment, trust_code)
    announce_name(experiment, asked.name, Console())
    try:
        print(launch_search(asked, str(experiment), run_dir, extend, jobs, Console()).path)
    except Interrupted as stop:
        given = [*option("--run-dir", run_dir), *option("--jobs", jobs, 1)]
        raise interrupted(stop, "search", experiment, overrides, *given) from None
