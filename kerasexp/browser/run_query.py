"""Questions about the runs of a folder: which pass a filter, in which order, with which columns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from kerasexp.browser.filter_expression import ORDERS, Filter, Value, filter_problem, parse_filter
from kerasexp.browser.run_index import RunIndex
from kerasexp.browser.run_keys import COLUMNS, NEWEST_FIRST, RunKeys
from kerasexp.errors import closest, listing

# What identifies a row, whatever its columns are.
IDENTIFYING = ("path", "kind", "status", "archived")
Row = Mapping[str, Value]


@dataclass(frozen=True)
class Question:
    """What is asked of the runs of a folder.

    Attributes:
        filter: such as `test.accuracy > 0.99 and model.name = cnn`; empty for all runs.
        sort: a key; with `-` before it the largest first.
        columns: keys to return; `all` is every key.
        archived: whether archived runs are among them; a filter that names `archived` decides itself.
        by: a key that the option `--by` names, which is the first column; None for none.
    """

    filter: str = ""
    sort: str = NEWEST_FIRST
    columns: Sequence[str] = COLUMNS
    archived: bool = False
    by: str | None = None


@dataclass(frozen=True)
class Answer:
    """The runs that a question is about.

    Attributes:
        columns: the keys in full, in the order of the question.
        rows: values by key: those of the columns, their intervals (`_low`, `_high`), and what identifies a run.
        hint: why there may be no row; empty otherwise.
    """

    columns: list[str]
    rows: list[Row]
    hint: str = ""


def ask(index: RunIndex, question: Question) -> Answer:
    """Answer a question from the index, which is not refreshed here.

    Raises:
        UserError: the filter is wrong, or there is no such key.
    """
    keys = RunKeys(index.keys())
    wanted = parse_filter(question.filter, keys.full)
    given = index.keys() if list(question.columns) == ["all"] else question.columns
    first = [] if question.by is None else [keys.of_option(question.by, "--by")]
    others = (keys.of_option(column, "--columns") for column in given)
    columns = [*first, *(column for column in others if column not in first)]
    sort = keys.of_option(question.sort.removeprefix("-"), "--sort")
    asked = [] if wanted is None else [each.key for each in wanted.comparisons()]
    intervals = [f"{column}_{end}" for column in columns for end in ("low", "high")]
    rows = index.rows([*IDENTIFYING, sort, *columns, *intervals, *asked])
    kept = rows
    if wanted is not None:
        _check_types(wanted, rows, question.filter)
        kept = [row for row in rows if wanted.passes(row)]
    if not question.archived and "archived" not in asked:
        kept = [row for row in kept if "archived" not in row]
    hint = _hint(wanted, rows) if wanted is not None and not kept else ""
    return Answer(columns, in_order(kept, sort, question.sort.startswith("-")), hint)


def in_order(rows: Iterable[Row], key: str, descending: bool) -> list[Row]:
    """Sort rows by a key: numbers before texts, rows without a value last, equal ones by path."""
    by_path = sorted(rows, key=lambda row: str(row.get("path")))
    present = [row for row in by_path if row.get(key) is not None]
    present.sort(key=lambda row: _rank(row[key]), reverse=descending)
    return present + [row for row in by_path if row.get(key) is None]


def _rank(value: Value) -> tuple[bool, float | int | str]:
    return (True, value.casefold()) if isinstance(value, str) else (False, value)


def _check_types(wanted: Filter, rows: Sequence[Row], text: str) -> None:
    """Raise UserError if a key whose values are all numbers is compared with a text, or the other way round."""
    for each in wanted.comparisons():
        held = [value for row in rows if (value := row.get(each.key)) is not None]
        if not held or each.value is None or each.sign == "~":
            continue
        is_text = isinstance(each.value, str)
        if is_text and not any(isinstance(value, str) for value in held):
            message = f"{each.key} is a number, such as {held[0]:g}; got '{each.value}'"
            raise filter_problem(text, each.place, message)
        if not is_text and each.sign in ORDERS and all(isinstance(value, str) for value in held):
            message = f"{each.key} is a text, such as {held[0]!r:.60}; got the number {each.value:g}"
            raise filter_problem(text, each.place, message)


def _hint(wanted: Filter, rows: Sequence[Row]) -> str:
    """Return which word of a filter no run has, with the nearest; empty if that is not the reason."""
    for each in wanted.comparisons():
        held = {value for row in rows if isinstance(value := row.get(each.key), str)}
        words = {word for value in held for word in value.split(", ")} if each.key == "tags" else held
        if each.sign == "=" and isinstance(each.value, str) and each.value not in words:
            near = closest(each.value, words) or (f"; it is {listing(sorted(words), 6)}" if words else "")
            return f"no run has {each.key} = {each.value}{near}"
    return ""
