"""Arguments and options that several commands share."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Optional

import typer

from kerasexp.console import Console, JsonConsole, WarningConsole, command_line, standard_console
from kerasexp.errors import Interrupted, Problem, UserError


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

    Raises:
        UserError: nobody can tell what is at the path.
    """
    if isinstance(value, list | tuple):
        return [with_homes(item) for item in value]
    if isinstance(value, str | Path):
        from kerasexp.config.yaml_paths import refuse_unreachable, with_home

        if str(value).startswith("~"):
            value = type(value)(with_home(Path(value)))
        refuse_unreachable(Path(value))
    return value


def experiment_option(context: typer.Context, value: Path) -> Path:
    """Return the file or the name of an experiment, and say if the name is also that of a shipped one, which is not used."""
    from kerasexp.config.experiment_catalog import named_experiment
    from kerasexp.config.yaml_paths import is_there

    value = with_homes(value)
    is_file = is_there(value) and value.is_file()
    if not (context.resilient_parsing or is_file) and (named := named_experiment(value)) and named.hidden:
        print(f"{value} is {named.path} here; the shipped experiment of this name is not used", file=sys.stderr)
    return value


def checkpoint_option(context: typer.Context, value: Any) -> Any:
    """Return the path or the name of a checkpoint, and say if the name is also that of a shipped one, which is not used.

    Of several checkpoints, return each.
    """
    from kerasexp.config.shipped_files import shipped_checkpoints
    from kerasexp.config.yaml_paths import is_there

    if value is None or isinstance(value, list | tuple):
        return value and [checkpoint_option(context, item) for item in value]
    value = with_homes(value)
    shipped = shipped_checkpoints().get(str(value))
    has_model = any(is_there(value / place / "model.keras") for place in ("", "checkpoint"))
    if not context.resilient_parsing and has_model and shipped is not None and not value.samefile(shipped):
        print(f"{value} is the folder {value} here; the shipped checkpoint of this name is not used", file=sys.stderr)
    return value


def complete_experiment(incomplete: str) -> list[str]:
    """Return the names of experiments, the YAML files and the folders that begin with what is typed."""
    from kerasexp.config.experiment_catalog import ENDINGS, experiment_names

    return _beginning_with(incomplete, experiment_names(), lambda path: path.suffix in ENDINGS)


def complete_checkpoint(incomplete: str) -> list[str]:
    """Return the names of the shipped checkpoints, the models and the folders that begin with what is typed."""
    from kerasexp.config.shipped_files import shipped_checkpoints

    return _beginning_with(incomplete, shipped_checkpoints(), lambda path: path.suffix == ".keras")


def complete_example(incomplete: str) -> list[str]:
    """Return the names of the shipped experiments that begin with what is typed."""
    from kerasexp.config.experiment_catalog import shipped_experiments

    return [name for name in shipped_experiments() if name.startswith(incomplete)]


def _beginning_with(incomplete: str, names: Iterable[str], is_wanted: Callable[[Path], bool]) -> list[str]:
    above, slash, start = incomplete.rpartition("/")
    folder = with_homes(Path(f"{above}{slash}" or "."))
    shown = [path for path in sorted(folder.iterdir()) if not path.name.startswith(".")] if folder.is_dir() else []
    found = [
        f"{above}{slash}{path.name}{'/' if path.is_dir() else ''}"
        for path in shown
        if path.name.startswith(start) and (path.is_dir() or is_wanted(path))
    ]
    return list(dict.fromkeys([*(name for name in names if name.startswith(incomplete)), *found]))


ExperimentFile = Annotated[
    Path,
    typer.Argument(
        metavar="EXPERIMENT",
        help="YAML file of the experiment, or the name of one that `list` shows.",
        callback=experiment_option,
        autocompletion=complete_experiment,
    ),
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
TrustCode = Annotated[
    bool,
    typer.Option(
        "--trust-code", help="Let code run that is not yours, after you have read it; remembered until it changes."
    ),
]
Quiet = Annotated[bool, typer.Option("--quiet", help="Print only the last line, and warnings and errors on stderr.")]
AsJson = Annotated[bool, typer.Option("--json", help="For programs: print one JSON object a line, and nothing else.")]
A_CHECKPOINT = "A checkpoint folder, a run directory, a model.keras, or the name of a shipped checkpoint"
CheckpointPath = Annotated[
    Path,
    typer.Argument(
        metavar="CHECKPOINT",
        help=f"{A_CHECKPOINT}.",
        callback=checkpoint_option,
        autocompletion=complete_checkpoint,
    ),
]
CheckpointPaths = Annotated[
    list[Path],
    typer.Argument(
        metavar="CHECKPOINT",
        help=f"{A_CHECKPOINT}; several predict together.",
        callback=checkpoint_option,
        autocompletion=complete_checkpoint,
    ),
]
RejectThreshold = Annotated[
    Optional[float],  # noqa: UP045
    typer.Option(
        min=0,
        max=1,
        metavar="PROBABILITY",
        help="Probability below which an image is unknown; 0: every image gets a class; default: the one that the run fitted "
        "for report.reject, if any.",
    ),
]
Tta = Annotated[
    bool,
    typer.Option(
        "--tta",
        help="Test-time augmentation: predict each image moved by a pixel or so, too, and mirrored if training did.",
    ),
]
Host = Annotated[str, typer.Option(help="Address to listen at; one that other machines can reach needs a token.")]
Token = Annotated[
    bool,
    typer.Option(
        "--token",
        help="Ask for a token on this machine too, to keep out its other users: $KERASEXP_TOKEN, or a random one.",
    ),
]
OpenBrowser = Annotated[bool, typer.Option("--open", help="Open the page in the browser.")]


def chosen_console(quiet: bool, as_json: bool) -> Console:
    """Return the console that the options ask for.

    Raises:
        UserError: for both options at once.
    """
    if quiet and as_json:
        raise UserError(Problem("cannot be given together with --json; leave one of them out", key="--quiet"))
    return JsonConsole() if as_json else WarningConsole() if quiet else standard_console()


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
