"""`list`: the experiments of a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def list_experiments(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Folder of experiments.")] = Path("experiments"),
):
    """List the experiments of a folder.

    Each is listed with the question that it answers.

    Example: python -m kerasexp list experiments
    """
    from kerasexp.config.catalog import experiment_lines

    for line in experiment_lines(folder):
        print(line)
