"""`search`: the best values of an experiment's domains."""

from __future__ import annotations

from typing import Annotated

import typer

from kerasexp.commands.options import (
    AsJson,
    ExperimentFile,
    Jobs,
    Overrides,
    Quiet,
    RunDir,
    TrustCode,
    announce_name,
    chosen_console,
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
    quiet: Quiet = False,
    as_json: AsJson = False,
):
    """Search for the best values of an experiment's domains.

    The same command continues a search that was stopped. The last line printed is its directory, with best.yaml in it;
    with --json it is the event `finished`, with the directory under `run`.

    Example: python -m kerasexp search experiments/part2_search.yaml --set search.max_trials=10

    Example: python -m kerasexp search experiments/part2_search.yaml --jobs 2 --json
    """
    from kerasexp.api.launch_from_python import launch_search
    from kerasexp.config import load

    console = chosen_console(quiet, as_json)
    overrides = overrides or []
    asked = load(experiment, overrides)
    from kerasexp.custom.trust import approve

    approve(asked, experiment, trust_code)
    if trust_code:
        from kerasexp.saving.teacher_checkpoints import trust_teachers

        trust_teachers(asked)
    announce_name(experiment, asked.name, console)
    try:
        console.answer(launch_search(asked, str(experiment), run_dir, extend, jobs, console).path)
    except Interrupted as stop:
        given = [*option("--run-dir", run_dir), *option("--jobs", jobs, 1)]
        raise interrupted(stop, "search", experiment, overrides, *given) from None
