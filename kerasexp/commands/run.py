"""`run`: one experiment or a study."""

from __future__ import annotations

from typing import Annotated, Optional

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
    changes,
    chosen_console,
    interrupted,
    option,
)
from kerasexp.errors import Interrupted


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
    trust_code: TrustCode = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
):
    """Train, evaluate, plot and report.

    The last line printed is the directory of the run or the study; with --json it is the event `finished`, with the directory
    under `run`. Ctrl-C ends the step, saves, and prints the command that continues.

    Example: python -m kerasexp run experiments/part2_pretrained.yaml --set training.epochs=1

    Example: python -m kerasexp run part1_digits --quiet

    Example: python -m kerasexp run part1_digits --json
    """
    from kerasexp.api.launch_from_python import launch_run, refuse_search
    from kerasexp.config import Study, load
    from kerasexp.console import command_line

    console = chosen_console(quiet, as_json)
    overrides, variants = overrides or [], variants or []
    asked = load(experiment, overrides)
    refuse_search(asked, str(experiment), command_line("search", experiment, *changes(overrides)))
    from kerasexp.custom.trust import approve

    approve(asked, experiment, trust_code)
    if trust_code:
        from kerasexp.saving.teacher_checkpoints import trust_teachers

        trust_teachers(asked)
    announce_name(experiment, asked.name, console)
    try:
        done = launch_run(asked, str(experiment), run_dir, resume, jobs, quick, variants, console)
        console.answer(done.path)
    except Interrupted as stop:
        how = ["--resume"]
        if isinstance(asked, Study):
            how = [*option("--jobs", jobs, 1), *(["--quick"] if quick else [])]
            how += [part for name in variants for part in ("--variant", name)]
        raise interrupted(stop, "run", experiment, overrides, *option("--run-dir", run_dir), *how) from None
