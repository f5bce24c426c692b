"""`run`: one experiment or a study."""

from __future__ import annotations

from typing import Annotated, Optional

import typer

from kerasexp.commands.options import (
    ExperimentFile,
    Jobs,
    Overrides,
    RunDir,
    announce_name,
    changes,
    interrupted,
    option,
)
from kerasexp.errors import Interrupted, Problem, UserError, listing


def run(
    experiment: ExperimentFile,
    overrides: Overrides = None,
    run_dir: RunDir = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue an unfinished run, or a finished one for more epochs.")
    ] = False,
    jobs: Jobs = 1,
    quick: Annotated[bool, typer.Option("--quick", help="A study with fewer images and seeds.")] = False,
    variants: Annotated[
        Optional[list[str]],  # noqa: UP045 (typer reads it)
        typer.Option("--variant", metavar="NAME", help="Only this variant of a study; may be repeated."),
    ] = None,
):
    """Train, evaluate, plot and report.

    The last line printed is the directory of the run or the study. Ctrl-C ends the step, saves, and prints the command that
    continues.

    Example: python -m kerasexp run experiments/part2_pretrained.yaml --set training.epochs=1
    """
    from kerasexp.config import Search, Study, load
    from kerasexp.config.study_section import quickened
    from kerasexp.console import Console, command_line

    overrides, variants = overrides or [], variants or []
    asked = load(experiment, overrides)
    if isinstance(asked, Search):
        domains = listing(asked.space.domains, 3)
        message = f"holds domains ({domains}), which `search` searches: {command_line('search', experiment, *changes(overrides))}"
        raise UserError(Problem(message, str(experiment)))
    if not isinstance(asked, Study) and (jobs > 1 or quick or variants):
        given = "--jobs" if jobs > 1 else "--quick" if quick else "--variant"
        message = "is for studies, which have `variants` or `seeds`; this is one experiment"
        raise UserError(Problem(message, str(experiment), given))
    from kerasexp.backend import import_tensorflow

    import_tensorflow()
    announce_name(experiment, asked.name, Console())
    try:
        if isinstance(asked, Study):
            from kerasexp.studies.run import run_study

            study = quickened(asked) if quick else asked
            print(run_study(study, run_dir, Console(), jobs, variants).directory.path)
        else:
            from kerasexp.runs.run import run_experiment
            from kerasexp.runs.run_request import RunRequest

            print(run_experiment(RunRequest(asked, run_dir, resume), Console()).path)
    except Interrupted as stop:
        how = ["--resume"]
        if isinstance(asked, Study):
            how = [*option("--jobs", jobs, 1), *(["--quick"] if quick else [])]
            how += [part for name in variants for part in ("--variant", name)]
        raise interrupted(stop, "run", experiment, overrides, *option("--run-dir", run_dir), *how) from None
