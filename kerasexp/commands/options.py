"""What several commands take, as the command line names it."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Optional

import typer


class Format(StrEnum):
    table = "table"
    json = "json"


class ListFormat(StrEnum):
    table = "table"
    csv = "csv"
    json = "json"


ExperimentFile = Annotated[Path, typer.Argument(metavar="EXPERIMENT", help="YAML file of the experiment.")]
Overrides = Annotated[
    Optional[list[str]],  # noqa: UP045 (typer reads it)
    typer.Option("--set", metavar="KEY=VALUE", help="Change a key, such as training.epochs=3; may be given again."),
]
RunDir = Annotated[
    Optional[Path],  # noqa: UP045 (typer reads it)
    typer.Option(help="Directory to write, or to go on with; default: runs/NAME/NUMBER."),
]
Jobs = Annotated[
    int,
    typer.Option(min=1, max=64, help="Runs or trials at once, which share the cores: up to one for each."),
]
DataPath = Annotated[Optional[str], typer.Option(metavar="PATH", help="File or folder of a named source.")]  # noqa: UP045
CheckpointPath = Annotated[
    Path, typer.Argument(metavar="CHECKPOINT", help="A checkpoint folder, a run directory, or a model.keras.")
]
