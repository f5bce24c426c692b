"""`track`: send what trackers do not have yet, and show how far they are."""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Annotated, Optional

import typer

from kerasexp.commands.options import ListFormat, with_homes

track = typer.Typer(
    rich_markup_mode=None,
    no_args_is_help=True,
    help="Send runs to MLflow and Weights & Biases, and show what they do not have yet.\n\n"
    "A run with the key `track` is sent while it trains. `sync` sends what is missing.\n\n"
    "Example: python -m kerasexp track sync runs",
)
Place = Annotated[
    Path,
    typer.Argument(
        metavar="[FOLDER]",
        help="A run, a study, a search, or a folder of them; all below it count.",
        callback=with_homes,
    ),
]


@track.command("sync")
def sync(
    folder: Place = Path("runs"),
    to: Annotated[
        Optional[list[str]],  # noqa: UP045 (typer reads it)
        typer.Option("--to", metavar="TRACKER", help="For runs without a tracker: mlflow or wandb; may be repeated."),
    ] = None,
):
    """Send what trackers do not have yet.

    What has been sent is not sent again, so it may be called at any time. The exit code is 1 if something is missing.

    Example: python -m kerasexp track sync runs/part1_digits
    """
    from kerasexp.tracking.sync import sync_folder

    with redirect_stdout(sys.stderr):  # which takes what the packages of trackers print
        done = sync_folder(folder, to or [])
    for line in done.lines:
        print(line)
    if not done.is_complete:
        raise typer.Exit(1)


@track.command("status")
def status(
    folder: Place = Path("runs"),
    format: Annotated[ListFormat, typer.Option(help="How to print the list.")] = ListFormat.table,
):
    """Show what trackers have and what they do not have yet; it needs no network.

    Example: python -m kerasexp track status
    """
    from kerasexp.tracking.table import status_text

    print(status_text(folder, format.value))


@track.command("follow", hidden=True)
def follow(folder: Place):
    """Send what is new in a folder until standard input ends. Trainings start it."""
    from kerasexp.runs.tracker_process import NOTE, WARNING
    from kerasexp.tracking.follower import follow as follow_folder
    from kerasexp.tracking.sync import delivery_of

    lines = sys.stdout

    def say(text: str, is_warning: bool = False) -> None:
        print(WARNING if is_warning else NOTE, text, sep="\t", file=lines, flush=True)

    # What the packages of trackers print is not for the console of the training.
    with redirect_stdout(sys.stderr):
        follow_folder(delivery_of(folder), folder, sys.stdin, say)
