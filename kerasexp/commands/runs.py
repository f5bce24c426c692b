"""`runs`: list, filter and sort the runs of a folder, find the best, free disk space."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kerasexp.browser.run_keys import COLUMNS, NEWEST_FIRST
from kerasexp.commands.options import ListFormat, with_homes

if TYPE_CHECKING:
    from kerasexp.browser.run_query import Answer

# Rows of a table on a terminal, unless --limit says otherwise.
SHOWN = 40
SHOWN_COLUMNS = ",".join(COLUMNS)
runs = typer.Typer(
    rich_markup_mode=None,
    invoke_without_command=True,
    help="List, filter and sort runs, studies and searches; find the best run; free disk space.\n\n"
    "Without a command, the runs below ./runs are listed.\n\n"
    "Example: python -m kerasexp runs list --filter 'test.accuracy > 0.99 and model.name = cnn'",
)
Folder = Annotated[
    Path, typer.Argument(metavar="[FOLDER]", help="The folder of the runs; all below it count.", callback=with_homes)
]
RunFilter = Annotated[
    str,
    typer.Option(
        metavar="FILTER",
        help="Such as 'test.accuracy > 0.99 and model.name = cnn'; =, !=, <, <=, >, >=, ~ (contains), and, or, not, null.",
    ),
]
RunFormat = Annotated[ListFormat, typer.Option(help="How to print the list.")]
Columns = Annotated[
    str, typer.Option(metavar="KEY,KEY", help="Keys of the experiment or of metrics.json; `all` for every key.")
]
Archived = Annotated[bool, typer.Option("--archived", help="Archived runs too.")]


@runs.callback()
def default(context: typer.Context):
    if context.invoked_subcommand is None:
        list_runs(Path("runs"))


@runs.command("list")
def list_runs(
    folder: Folder = Path("runs"),
    filter: RunFilter = "",
    sort: Annotated[
        str, typer.Option(metavar="KEY", help="Key to sort by; with - before it the largest first.")
    ] = NEWEST_FIRST,
    columns: Columns = SHOWN_COLUMNS,
    format: RunFormat = ListFormat.table,
    limit: Annotated[int, typer.Option(min=0, help="Rows of a table; 0 for all.")] = SHOWN,
    archived: Archived = False,
):
    """List the runs, studies and searches below a folder.

    A key may be shortened to an end that no other key has, such as learning_rate. `null` is what a run does not have. A run
    whose process was killed has the status killed.

    Example: python -m kerasexp runs list --filter 'val.accuracy > 0.9' --sort -val.accuracy --columns path,val.accuracy,seed
    """
    from kerasexp.browser.table import runs_text

    names = [name.strip() for name in columns.split(",") if name.strip()]
    answer = _answer(folder, filter, sort=sort, columns=names, archived=archived)
    if format is ListFormat.table and not answer.rows:
        print(_none(folder, answer))
        return
    print(runs_text(answer, format.value, limit or None))
    if format is ListFormat.table and limit and len(answer.rows) > limit:
        print(f"{limit} of {len(answer.rows):,}; --limit 0 shows all")


@runs.command("best")
def best_run(
    folder: Folder = Path("runs"),
    by: Annotated[
        str, typer.Option(metavar="KEY", help="The metric; of losses, times and sizes the smallest is best.")
    ] = ("val.accuracy"),
    filter: RunFilter = "",
    columns: Columns = SHOWN_COLUMNS,
    format: RunFormat = ListFormat.table,
):
    """Find the best finished run. The last line of the table is its directory.

    Studies and searches are not runs; their runs and trials are.

    Example: python -m kerasexp runs best --by val.macro_f1 --filter 'model.name = cnn'
    """
    from kerasexp.browser.best_run import ranking, remarks
    from kerasexp.browser.table import runs_text

    names = [name.strip() for name in columns.split(",") if name.strip()]
    ranked = ranking(_answer(folder, filter, columns=names, by=by))
    for line in remarks(ranked):
        print(line, file=sys.stderr)
    print(runs_text(replace(ranked, rows=ranked.rows[:1]), format.value))
    if format is ListFormat.table:
        print(folder / str(ranked.rows[0]["path"]))


@runs.command("clean")
def clean_runs(
    folder: Folder = Path("runs"),
    filter: RunFilter = "",
    caches: Annotated[
        bool,
        typer.Option("--caches", help="Also caches that the next run makes again: decoded images, features, archives."),
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Delete; without it, only show what would be freed.")] = False,
):
    """Show how much disk space finished runs no longer need, and free it with --yes.

    The state of a finished run is only needed to continue it for more epochs. Checkpoints, metrics and reports stay. Unfinished
    runs are not touched.

    Example: python -m kerasexp runs clean
    """
    from kerasexp.browser.disk_space import bytes_text, free, freeable_caches, freeable_states

    answer = _answer(folder, filter, columns=["path", "of"], archived=True)
    if caches:
        _refuse_running(folder)
    states = list(freeable_states(folder, answer.rows))
    found = [*states, *(freeable_caches() if caches else ())]
    if not found:
        also = ", and there are no caches" if caches else ""
        print(f"nothing to free: no finished run below {folder} has a training state{also}")
        return
    freed, total = 0, sum(each.bytes for each in found)
    for each in found:
        kept = free(each) if yes else None
        freed += 0 if kept else each.bytes
        print(f"{bytes_text(each.bytes):>12}  {each.path} ({each.what})" + (f": kept, {kept}" if kept else ""))
    if yes:
        print(f"freed {bytes_text(freed)}")
    else:
        lost = " These runs could then not be continued for more epochs." if states else ""
        print(f"would free {bytes_text(total)}; --yes deletes.{lost}")


def _answer(folder: Path, filter: str, **more: Any) -> Answer:
    """Return the runs of a folder that pass a filter; `more` is further attributes of `Question`."""
    from kerasexp.browser.run_index import RunIndex
    from kerasexp.browser.run_query import Question, ask

    index = RunIndex(folder)
    index.refresh()
    return ask(index, Question(filter, **more))


def _none(folder: Path, answer: Answer) -> str:
    return answer.hint or f"no run below {folder} passes"


def _refuse_running(folder: Path) -> None:
    from kerasexp.errors import Problem, UserError

    running = _answer(folder, "status = running", columns=["path"]).rows
    if running:
        message = f"{running[0]['path']} is running, and may read from the cache; wait for its end"
        raise UserError(Problem(message, str(folder), "--caches"))
