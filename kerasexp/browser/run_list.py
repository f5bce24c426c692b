"""The list of runs as a page shows it: one page of rows, columns to choose, links that sort."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from urllib.parse import urlencode

from kerasexp.browser.filter_expression import in_quotes
from kerasexp.browser.run_index import RunIndex
from kerasexp.browser.run_keys import COLUMNS, NEWEST_FIRST, less_is_better
from kerasexp.browser.run_query import Answer, Question, Row, ask
from kerasexp.browser.table import interval_text, is_number, shown
from kerasexp.config.setting_text import short_names
from kerasexp.errors import UserError

ROWS_PER_PAGE = 100
# What people most often add to the columns; any other key can be typed.
OFFERED = (
    *COLUMNS, "name", "started", "minutes", "note", "seed", "model.name", "training.optimizer.learning_rate",
    "training.batch_size", "parameters", "flops", "val.loss", "test.loss", "val.macro_f1", "test.macro_f1", "best", "runs",
)  # fmt: skip
MARKS = {"running": "●", "finished": "✓", "failed": "✕", "killed": "⚠", "interrupted": "■", "unfinished": "■",
         "starting": "○", "waiting": "○", "not finite": "✕"}  # fmt: skip


@dataclass(frozen=True)
class ListRequest:
    """What the page of all runs was asked for, as in its address.

    Attributes:
        filter, sort, columns, archived: see `Question`.
        within: whether the runs of studies and searches are listed one by one.
        page: of the rows, from 1.
    """

    filter: str = ""
    sort: str = NEWEST_FIRST
    columns: tuple[str, ...] = COLUMNS
    archived: bool = False
    within: bool = False
    page: int = 1

    @classmethod
    def from_fields(cls, fields: Mapping[str, list[str]]) -> ListRequest:
        """Return the request of an address; what it lacks has its default."""
        columns = [name.strip() for given in fields.get("columns", []) for name in given.split(",")]
        page = fields.get("page", ["1"])[0]
        return cls(
            fields.get("filter", [""])[0].strip(),
            fields.get("sort", [""])[0].strip() or NEWEST_FIRST,
            tuple(dict.fromkeys(name for name in columns if name)) or COLUMNS,
            fields.get("archived", [""])[0] == "1",
            fields.get("within", [""])[0] == "1",
            int(page) if page.isdecimal() and len(page) < 9 else 1,
        )

    def address(self, **changes: object) -> str:
        """Return the address of this request with some changes; what has its default is left out."""
        asked = replace(self, **changes)
        fields = {
            "filter": asked.filter,
            "sort": "" if asked.sort == NEWEST_FIRST else asked.sort,
            "columns": "" if asked.columns == COLUMNS else ",".join(asked.columns),
            "archived": "1" if asked.archived else "",
            "within": "1" if asked.within else "",
            "page": "" if asked.page == 1 else str(asked.page),
        }
        return "/?" + urlencode({name: value for name, value in fields.items() if value})


@dataclass(frozen=True)
class Heading:
    """The heading of a column: key and short name, whether it holds numbers, its order now, the address that sorts by it."""

    key: str
    name: str
    is_number: bool
    order: str
    address: str


@dataclass(frozen=True)
class Cell:
    """A value for readers, with its interval, and the words that its colour follows; tags, with the address of their runs."""

    key: str
    text: str
    interval: str = ""
    mark: str = ""
    tags: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class ListedRun:
    """A row: the path of the run, and its cells."""

    path: str
    is_archived: bool
    cells: list[Cell]


@dataclass(frozen=True)
class RunList:
    """Everything that the table shows.

    Attributes:
        request: what was asked for.
        headings: of the columns.
        rows: of this page.
        total: rows of all pages.
        pages: how many there are.
        hidden: runs of studies and searches that are not listed.
        message: a mistake in the filter, or why there is no row.
    """

    request: ListRequest
    headings: list[Heading]
    rows: list[ListedRun]
    total: int
    pages: int
    hidden: int
    message: str


def list_runs(index: RunIndex, request: ListRequest) -> RunList:
    """Return the list that a page shows; a mistake in the request is a message on the page, not an error."""
    question = Question(request.filter, request.sort, (*request.columns, "of"), request.archived)
    try:
        answer = ask(index, question)
    except UserError as error:
        return RunList(request, [], [], 0, 1, 0, str(error).removeprefix("--filter: "))
    shown_rows = [row for row in answer.rows if request.within or row.get("of") is None]
    pages = max(1, -(-len(shown_rows) // ROWS_PER_PAGE))
    page = min(max(request.page, 1), pages)
    rows = shown_rows[(page - 1) * ROWS_PER_PAGE : page * ROWS_PER_PAGE]
    columns = answer.columns[:-1]
    return RunList(
        replace(request, page=page),
        headings(Answer(columns, rows), request),
        listed(columns, rows),
        len(shown_rows),
        pages,
        len(answer.rows) - len(shown_rows),
        answer.hint,
    )


def headings(answer: Answer, request: ListRequest) -> list[Heading]:
    """Return the headings of the columns, with the addresses that sort by them."""
    found, short = [], short_names(answer.columns)
    for key in answer.columns:
        # The first click shows the best, the newest or the first in the alphabet on top.
        numeric = is_number(answer.rows, key)
        first = f"-{key}" if (numeric and not less_is_better(key)) or key == "started" else key
        other = key if first.startswith("-") else f"-{key}"
        order = {key: "ascending", f"-{key}": "descending"}.get(request.sort, "")
        name = key if key.startswith(("val.", "test.")) else short[key]
        found.append(
            Heading(key, name, numeric, order, request.address(sort=other if request.sort == first else first, page=1))
        )
    return found


def listed(columns: list[str], rows: list[Row]) -> list[ListedRun]:
    """Return rows for readers."""
    return [
        ListedRun(str(row["path"]), row.get("archived") == "true", [_cell(row, key) for key in columns]) for row in rows
    ]


def _cell(row: Row, key: str) -> Cell:
    value = row.get(key)
    if key == "status":
        return Cell(key, str(value), mark=MARKS.get(str(value), ""))
    if key in ("started", "ended") and isinstance(value, str):
        return Cell(key, value[:16].replace("T", " "))
    if key == "tags" and isinstance(value, str):
        requests = ((tag, ListRequest(filter=f"tags = {in_quotes(tag)}", within=True)) for tag in value.split(", "))
        return Cell(key, value, tags=tuple((tag, request.address()) for tag, request in requests))
    return Cell(key, shown(value, key), interval_text(row, key))
