"""Arguments and options that several commands share."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Optional

import typer

from kerasexp.console import command_line
from kerasexp.errors import Interrupted


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
    typer.Option("--set", metavar="KEY=VALUE", help="Change a key, such as training.epochs=3; may be repeated."),
]
RunDir = Annotated[
    Optional[Path],  # noqa: UP045 (typer reads it)
    typer.Option(help="Directory to make or to continue in; default: runs/NAME/NUMBER."),
]
Jobs = Annotated[
    int,
    typer.Option(min=1, max=64, help="Runs or trials in parallel; they share the cores, one core each at least."),
]
DataPath = Annotated[Optional[str], typer.Option(metavar="PATH", help="File or folder of a named source.")]  # noqa: UP045
CheckpointPath = Annotated[
    Path, typer.Argument(metavar="CHECKPOINT", help="A checkpoint folder, a run directory, or a model.keras.")
]


def interrupted(stop: Interrupted, command: str, file: Path, overrides: Sequence[str], *options: object) -> Interrupted:
    """Return the error of a command that was interrupted, with the command that continues it.

    Args:
        stop: what was raised.
        command: its name, such as `run`.
        file: the experiment.
        overrides: the values of `--set`.
        options: the others, as they are typed; None is left out.
    """
    changes = [part for override in overrides for part in ("--set", override)]
    given = [option for option in options if option is not None]
    return Interrupted(stop.signal, f"; continue with: {command_line(command, file, *changes, *given)}")


def option(name: str, value: object, default: object = None) -> list[object]:
    """Return an option as it is typed, or an empty list where it has its default."""
    return [] if value == default else [name, value]
