"""`pack`: preprocessed images as CSV, or as image files with a table."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from kerasexp.commands.options import ExperimentFile, Overrides, TrustCode, with_homes


class PackFormat(StrEnum):
    csv = "csv"
    images = "images"


def pack(
    experiment: ExperimentFile,
    output: Annotated[Path, typer.Option(help="Folder to make.", callback=with_homes)],
    format: Annotated[
        PackFormat, typer.Option(help="csv: pixels, one file per split; images: PNG files and their table.csv.")
    ] = PackFormat.csv,
    overrides: Overrides = None,
    trust_code: TrustCode = False,
):
    """Write preprocessed images as CSV, or as PNG files with a table.

    csv: a label and the flattened pixels a line, which `source: csv` reads. images: a file for each image, and a table of
    their paths, labels and splits, which `source: table` reads.

    Example: python -m kerasexp pack experiments/part1_digits.yaml --output digits_csv
    """
    from kerasexp.backend import import_tensorflow
    from kerasexp.config import load_experiment
    from kerasexp.console import standard_console

    resolved = load_experiment(experiment, overrides or ())
    from kerasexp.custom.trust import approve

    approve(resolved, experiment, trust_code)
    import_tensorflow()
    from kerasexp.data.image_export import export_csv, export_images

    export = export_csv if format is PackFormat.csv else export_images
    print(export(resolved, output, standard_console()))
