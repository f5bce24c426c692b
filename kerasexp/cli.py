"""The command line: it finds the command, and turns our errors into a message and an exit code."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from kerasexp import __version__
from kerasexp.commands.check import check
from kerasexp.commands.compare import compare
from kerasexp.commands.diagnose import diagnose
from kerasexp.commands.doctor import doctor
from kerasexp.commands.evaluate import evaluate
from kerasexp.commands.export import export
from kerasexp.commands.list import list_experiments
from kerasexp.commands.new import new
from kerasexp.commands.pack import pack
from kerasexp.commands.predict import predict
from kerasexp.commands.report import report
from kerasexp.commands.run import run
from kerasexp.commands.schema import schema
from kerasexp.commands.search import search
from kerasexp.commands.show import show
from kerasexp.errors import KerasexpError

COMMANDS = {
    "run": run,
    "search": search,
    "new": new,
    "check": check,
    "show": show,
    "list": list_experiments,
    "evaluate": evaluate,
    "predict": predict,
    "report": report,
    "compare": compare,
    "diagnose": diagnose,
    "export": export,
    "pack": pack,
    "schema": schema,
    "doctor": doctor,
}
app = typer.Typer(
    name="kerasexp",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for _name, _command in COMMANDS.items():
    app.command(_name)(_command)


def _print_version(is_asked: bool) -> None:
    if is_asked:
        print(f"kerasexp {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
):
    """Image-classification experiments as YAML files.

    Begin with: python -m kerasexp run experiments/part2_pretrained.yaml
    """


def main() -> None:
    """Run the command line."""
    for stream in (sys.stdout, sys.stderr):
        # A file name may hold what the terminal cannot show.
        stream.reconfigure(errors="backslashreplace")
    try:
        app()
    except KerasexpError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
