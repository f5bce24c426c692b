"""`new`: an experiment for a user's own images."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kerasexp.commands.options import with_homes


def new(
    folder: Annotated[
        Path,
        typer.Argument(
            metavar="FOLDER",
            help="Folder or zip archive with one folder of images per class, or a table of images.",
            callback=with_homes,
        ),
    ],
    output: Annotated[
        Path | None, typer.Option(help="YAML file to write; default: NAME.yaml here.", callback=with_homes)
    ] = None,  # noqa: UP045
    label: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="Column of the labels, for a table with several that may be.")
    ] = None,
):
    """Write an experiment for your own images.

    It follows from their classes, counts, sizes, colour and faults. `run` takes the experiment as it is. A table (CSV, TSV
    or Parquet) with the paths and labels of images is found in or beside their folder.

    Example: python -m kerasexp new my_images
    """
    from kerasexp.backend import import_tensorflow
    from kerasexp.console import Console

    import_tensorflow()
    from kerasexp.data.new_experiment import write_new_experiment

    print(write_new_experiment(folder, output, Console(), label))
