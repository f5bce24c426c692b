"""`find-learning-rate`: a curve of the loss over the learning rate, and a suggestion."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kerasexp.commands.options import ExperimentFile, Overrides, TrustCode, with_homes


def find_learning_rate(
    experiment: ExperimentFile,
    overrides: Overrides = None,
    lowest: Annotated[float, typer.Option(min=1e-12, max=100, help="Rate of the first batch.")] = 1e-6,
    highest: Annotated[float, typer.Option(min=1e-12, max=100, help="Rate of the last batch.")] = 1.0,
    steps: Annotated[
        int, typer.Option(min=20, max=100_000, help="Number of batches; fewer if the loss diverges.")
    ] = 200,
    output: Annotated[
        Path,
        typer.Option("--output", "--out", help="HTML file to write; the PNG lies beside it.", callback=with_homes),
    ] = Path("learning_rate.html"),
    trust_code: TrustCode = False,
):
    """Find a learning rate by a short training whose rate rises.

    The curve of the loss is a page and a PNG; the last line printed is the suggestion for --set. No run is made.

    Example: python -m kerasexp find-learning-rate part1_digits
    """
    from kerasexp.config import load_experiment
    from kerasexp.console import standard_console
    from kerasexp.custom.trust import approve
    from kerasexp.report.page_output import check_page_name

    check_page_name(output, "--output")
    resolved = load_experiment(experiment, overrides or ())
    approve(resolved, experiment, trust_code)
    if trust_code:
        from kerasexp.saving.teacher_checkpoints import trust_teachers

        trust_teachers(resolved)
    from kerasexp.backend import import_tensorflow

    import_tensorflow()
    from kerasexp.runs.learning_rate_range import KEY
    from kerasexp.runs.learning_rate_range import find_learning_rate as found

    test = found(resolved, (lowest, highest), steps, output, standard_console())
    print(f"{output}: {test.explanation}")
    print("no suggestion" if test.suggestion is None else f"--set {KEY}={test.suggestion:g}")
