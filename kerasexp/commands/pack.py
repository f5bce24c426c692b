"""`pack`: preprocessed images as CSV."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kerasexp.commands.options import ExperimentFile, Overrides, with_homes


def pack(
    experiment: ExperimentFile,
    output: Annotated[Path, typer.Option(help="Folder to make: one CSV file per split.", callback=with_homes)],
    overrides: Overrides = None,
):
    """Write preprocessed images as CSV.

    A label and the flattened pixels a line, which `source: csv` reads.

    Example: python -m kerasexp pack experiments/part1_digits.yaml --output digits_csv
    """
    from kerasexp.backend import import_tensorflow
    from kerasexp.config import load_experiment
    from kerasexp.console import Console

    resolved = load_experiment(experiment, overrides or ())
    import_tensorflow()
    from kerasexp.data.image_csv import export_csv

    print(export_csv(resolved, output, Console()))
