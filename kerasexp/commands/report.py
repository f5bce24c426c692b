"""`report`: the page of a finished run again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kerasexp.commands.options import with_homes


def report(
    run: Annotated[
        Path,
        typer.Argument(
            metavar="RUN",
            help="A run directory, or a folder of numbered runs: the newest is taken.",
            callback=with_homes,
        ),
    ],
):
    """Draw the plots and the report of a finished run again.

    Everything comes from what the run has saved; images are read again. Where they are not available any more, the page
    says which plots need them. The last line printed is the run directory.

    Example: python -m kerasexp report runs/part1_digits
    """
    from kerasexp.backend import import_tensorflow
    from kerasexp.console import Console

    import_tensorflow()
    from kerasexp.runs.redraw_run import redraw

    print(redraw(run, Console()).path)
