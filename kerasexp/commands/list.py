"""`list`: the experiments that there are."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from kerasexp.commands.options import with_homes


def list_experiments(
    folder: Annotated[
        Optional[Path],  # noqa: UP045 (typer reads it)
        typer.Argument(
            metavar="[FOLDER]",
            help="Folder of experiments; default: those in ./experiments and those shipped with kerasexp.",
            callback=with_homes,
        ),
    ] = None,
):
    """List the experiments, with the question that each answers.

    Without a folder, each is listed by the name that `run`, `check`, `show` and `search` take, in any folder.

    Example: python -m kerasexp list
    """
    from kerasexp.config.experiment_catalog import experiment_lines, named_lines

    for line in named_lines() if folder is None else experiment_lines(folder):
        print(line)
