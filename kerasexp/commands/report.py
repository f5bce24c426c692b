"""`report`: draw a run's page again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kerasexp.commands.options import TrustCode, with_homes


def report(
    run: Annotated[
        Path,
        typer.Argument(
            metavar="RUN",
            help="A run directory, or a folder of numbered runs: the newest is taken.",
            callback=with_homes,
        ),
    ],
    trust_code: TrustCode = False,
):
    """Draw the plots and the report of a run again.

    The page of a finished run is made from what the run saved; the images are read again. Where they are no longer
    available, the page says which plots are missing. The page of an unfinished run has the curves so far and the command
    that continues it. The last line printed is the run directory.

    Example: python -m kerasexp report runs/part1_digits
    """
    from kerasexp.backend import import_tensorflow
    from kerasexp.console import standard_console

    import_tensorflow()
    from kerasexp.runs.redraw_run import redraw

    print(redraw(run, standard_console(), trust_code).path)
