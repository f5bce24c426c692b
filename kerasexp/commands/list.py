"""`list`: the experiments of a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kerasexp.commands.options import with_homes


def list_experiments(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="Folder of experiments.", callback=with_homes)
    ] = Path("experiments"),
):
    """List the experiments of a folder.

    Each is listed with the question that it answers.

    Example: python -m kerasexp list experiments
    """
    from kerasexp.config.experiment_catalog import experiment_lines

    for line in experiment_lines(folder):
        print(line)
