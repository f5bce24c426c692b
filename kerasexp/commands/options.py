"""Arguments and options that several commands share."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Optional

import typer

from kerasexp.console import Console, command_line
from kerasexp.errors import Interrupted


class Format(StrEnum):
    table = "table"
    json = "json"


class ListFormat(StrEnum):
    table = "table"
    csv = "csv"
    json = "json"


def with_homes(value: Any) -> Any:
    """Return the value of a path option with the home folder in place of a leading `~`.

    A shell expands `~` only at the start of a word, so not in `--run-dir=~/x`.
    """
    if isinstance(value, list | tuple):
        return [with_homes(item) for item in value]
    if isinstance(value, str | Path) and str(value).startswith("~"):
        from kerasexp.config.yaml_paths import with_home

        return type(value)(with_home(Path(value)))
    return value


ExperimentFile = Annotated[
    Path, typer.Argument(metavar="EXPERIMENT", help="YAML file of the experiment.", callback=with_homes)
]
Overrides = Annotated[
    Optional[list[str]],  # noqa: UP045 (typer reads it)
    typer.Option("--set", metavar="KEY=VALUE", help="Change a key, such as training.epochs=3; may be repeated."),
]
RunDir = Annotated[
    Optional[Path],  # noqa: UP045 (typer reads it)
    typer.Option(help="Directory to make or to continue in; default: runs/NAME/NUMBER.", callback=with_homes),
]
Jobs = Annotated[
    int,
    typer.Option(min=1, max=64, help="Runs or trials in parallel; they share the cores, one core each at least."),
]
DataPath = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option(metavar="PATH", help="File or folder of a named source.", callback=with_homes),
]
ClassNames = Annotated[
    Optional[list[str]],  # noqa: UP045
    typer.Option(
        metavar="DATA=CHECKPOINT",
        help="Class of the data and the same class of the checkpoint, such as cats=cat; may be repeated.",
    ),
]
CheckpointPath = Annotated[
    Path,
    typer.Argument(
        metavar="CHECKPOINT", help="A checkpoint folder, a run directory, or a model.keras.", callback=with_homes
    ),
]


def announce_name(file: Path, name: str, console: Console) -> None:
    """Show the name of an experiment, a study or a search if it was made from a file whose own name cannot be one."""
    from kerasexp.config.yaml_loading import name_of_file

    if name == name_of_file(file) != file.stem:
        console.line(f"name: {name}, made from the name of the file; the key `name` changes it")


def interrupted(stop: Interrupted, command: str, file: Path, overrides: Sequence[str], *options: object) -> Interrupted:
    """Return the error of a command that was interrupted, with the command that continues it.

    Args:
        stop: what was raised.
        command: its name, such as `run`.
        file: the experiment.
        overrides: the values of `--set`.
        options: the others, as they are typed; None is left out.
    """
    given = [option for option in options if option is not None]
    return Interrupted(stop.signal, f"; continue with: {command_line(command, file, *changes(overrides), *given)}")


def changes(overrides: Sequence[str]) -> list[str]:
    """Return the values of `--set` as they are typed."""
    return [part for override in overrides for part in ("--set", override)]


def option(name: str, value: object, default: object = None) -> list[object]:
    """Return an option as it is typed, or an empty list where it has its default."""
    return [] if value == default else [name, value]
