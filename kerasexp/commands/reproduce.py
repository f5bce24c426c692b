"""`reproduce`: run an experiment again, and say whether the metrics are the same."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kerasexp.commands.options import AsJson, Quiet, RunDir, TrustCode, chosen_console, with_homes


def reproduce(
    run: Annotated[
        Path,
        typer.Argument(
            metavar="RUN",
            help="A finished run directory, or a folder of numbered runs: the newest is taken.",
            callback=with_homes,
        ),
    ],
    run_dir: RunDir = None,
    check: Annotated[
        bool, typer.Option("--check", help="Only show what differs now; nothing is run, and data are not read.")
    ] = False,
    trust_code: TrustCode = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
):
    """Run a run again, and say whether the metrics are the same.

    First it shows what differs from then: versions, packages, git commit, hardware, environment. Then the experiment of the
    run directory is run again, in a new directory, which is the last line printed. The exit code is 1 if a metric or a
    prediction differs. With --json, the last line is the event `finished`, of kind `reproduction`.

    Example: python -m kerasexp reproduce runs/part1_digits/1
    """
    from kerasexp.backend import import_tensorflow

    console = chosen_console(quiet, as_json)
    import_tensorflow()
    from kerasexp.runs.reproduction import changes_now, read_original
    from kerasexp.runs.reproduction import reproduce as run_again

    original, manifest = read_original(run)
    changes = changes_now(original, manifest)
    for change in changes:
        console.line(f"differs now: {change}")
    if not changes:
        console.line("nothing that was recorded differs now: versions, packages, git commit, hardware, environment")
    if check:
        return
    done = run_again(run, run_dir, console, trust_code)
    console.show(done.finished_event())
    console.answer(done.run.path)
    if not done.is_same:
        raise typer.Exit(1)
