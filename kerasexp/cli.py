"""The command line: it finds the command, and turns our errors into a message and an exit code."""

from __future__ import annotations

import os
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
from kerasexp.commands.find_learning_rate import find_learning_rate
from kerasexp.commands.list import list_experiments
from kerasexp.commands.new import new
from kerasexp.commands.pack import pack
from kerasexp.commands.predict import predict
from kerasexp.commands.report import report
from kerasexp.commands.reproduce import reproduce
from kerasexp.commands.run import run
from kerasexp.commands.runs import runs
from kerasexp.commands.schema import schema
from kerasexp.commands.search import search
from kerasexp.commands.serve import serve
from kerasexp.commands.show import show
from kerasexp.commands.track import track
from kerasexp.commands.ui import ui
from kerasexp.console import Failed, JsonConsole
from kerasexp.errors import KerasexpError

COMMANDS = {
    "run": run,
    "search": search,
    "new": new,
    "check": check,
    "show": show,
    "list": list_experiments,
    "find-learning-rate": find_learning_rate,
    "evaluate": evaluate,
    "predict": predict,
    "report": report,
    "reproduce": reproduce,
    "compare": compare,
    "diagnose": diagnose,
    "export": export,
    "serve": serve,
    "pack": pack,
    "ui": ui,
    "schema": schema,
    "doctor": doctor,
}
COMMANDS_FOR_PROGRAMS = ("run", "search", "reproduce")
# By these a user chooses the encoding of what is printed.
ENCODING_CHOICES = ("PYTHONIOENCODING", "PYTHONUTF8")
# Of click, which newer versions of Typer have inside.
USAGE_ERROR = typer.BadParameter.__base__
app = typer.Typer(
    name="kerasexp",
    invoke_without_command=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for _name, _command in COMMANDS.items():
    app.command(_name)(_command)
app.add_typer(runs, name="runs")
app.add_typer(track, name="track")


def _print_version(is_asked: bool) -> None:
    if is_asked:
        print(f"kerasexp {__version__}")
        raise typer.Exit


# The name that the shell completes; `python -m kerasexp` has no completion of its own.
PROGRAM, COMPLETION_OPTIONS = "kerasexp", ("--install-completion", "--show-completion")
FIRST_STEPS = """\
kerasexp trains and evaluates image classifiers from YAML files. What people do first:

  1. Run an experiment that is shipped with it; `list` shows all:
       python -m kerasexp run part1_digits

  2. Train on your own images, a folder with one folder per class:
       python -m kerasexp new my_images
       python -m kerasexp run my_images.yaml

  3. Predict the classes of image files, with a shipped checkpoint or a run of your own:
       python -m kerasexp predict part1_scans my_scan.png

All commands: python -m kerasexp --help"""


@app.callback()
def options(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
):
    """Image-classification experiments as YAML files.

    Begin with: python -m kerasexp run part2_pretrained
    """
    if context.invoked_subcommand is None:
        print(FIRST_STEPS)


def main() -> None:
    """Run the command line."""
    for stream in (sys.stdout, sys.stderr):
        # A file name may hold what the terminal cannot show.
        stream.reconfigure(errors="backslashreplace")
    if not (sys.stdout.isatty() or any(choice in os.environ for choice in ENCODING_CHOICES)):
        # A file or a program gets what kerasexp reads.
        sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")
    if sys.argv[1:2] and sys.argv[1] in COMMANDS_FOR_PROGRAMS and "--json" in sys.argv:
        sys.exit(_run_for_a_program())
    try:
        app(prog_name=PROGRAM if sys.argv[1:2] and sys.argv[1] in COMPLETION_OPTIONS else None)
    except KerasexpError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    finally:
        _flush_output()


def _flush_output() -> None:
    """Write what stdout still holds. That its reader has gone, as `head` does, is no error (Python's `signal`, note on SIGPIPE)."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _run_for_a_program() -> int:
    """Run a command with `--json`, and return its exit code; each error is an event, which a program reads, and a message."""
    try:
        return app(standalone_mode=False) or 0
    except USAGE_ERROR as error:  # a wrong option
        failed = Failed(error.format_message(), error.exit_code)
        error.show()
    except KerasexpError as error:
        failed = Failed.of(error)
        print(f"error: {error}", file=sys.stderr)
    except Exception as error:
        JsonConsole().show(Failed.of(error))
        raise
    JsonConsole().show(failed)
    return failed.exit_code
