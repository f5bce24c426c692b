"""The list of runs as text, CSV and JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from kerasexp.browser.filter_expression import Value
from kerasexp.browser.run_query import Answer, Row
from kerasexp.storage import csv_text

# Characters of a cell; a longer text is cut on a terminal, and nowhere else.
WIDEST = 60
# Keys whose values are counts or durations, which need no more than this many decimals.
DECIMALS = {"seconds": 1, "minutes": 1}


def runs_text(answer: Answer, format: str, limit: int | None = None) -> str:
    """Return the list as text.

    Args:
        answer: the runs.
        format: table, csv or json.
        limit: rows of a table; None for all.
    """
    if format == "json":
        rows = [{key: row.get(key) for key in with_intervals(answer)} for row in answer.rows]
        return json.dumps(rows, indent=2, ensure_ascii=False, allow_nan=False)
    if format == "csv":
        keys = with_intervals(answer)
        return csv_text(keys, ([row.get(key) for key in keys] for row in answer.rows)).removesuffix("\n")
    return "\n".join(_table(answer.columns, answer.rows[:limit]))


def with_intervals(answer: Answer) -> list[str]:
    """Return the columns, each followed by the ends of its interval where a run has one."""
    ends = {f"{column}_{end}" for column in answer.columns for end in ("low", "high")}
    present = {key for row in answer.rows for key in ends & row.keys()}
    found = []
    for column in answer.columns:
        found += [column, *(key for end in ("low", "high") if (key := f"{column}_{end}") in present)]
    return list(dict.fromkeys(found))


def cell(row: Row, key: str) -> str:
    """Return a value for readers, with its 95 % interval where there is one; `–` for nothing."""
    interval = interval_text(row, key)
    return shown(row.get(key), key) + (f" ({interval})" if interval else "")


def interval_text(row: Row, key: str) -> str:
    """Return the 95 % interval of a value for readers; empty if it has none."""
    low, high = row.get(f"{key}_low"), row.get(f"{key}_high")
    return f"{low:.4f} to {high:.4f}" if isinstance(low, float) and isinstance(high, float) else ""


def shown(value: Value, key: str) -> str:
    """Return a value for readers; `–` for nothing."""
    if isinstance(value, float):
        decimals = DECIMALS.get(key.rpartition(".")[2])
        if decimals is not None:
            return f"{value:,.{decimals}f}"
        return f"{value:.4f}" if key.startswith(("val.", "test.")) else f"{value:.6g}"
    return "–" if value is None else f"{value:,}" if isinstance(value, int) else value


def is_number(rows: Sequence[Row], key: str) -> bool:
    """Return whether a column is aligned as numbers are: it has some, and no text."""
    kinds = {type(row.get(key)) for row in rows}
    return str not in kinds and bool(kinds & {int, float})


def _table(columns: list[str], rows: Sequence[Row]) -> Iterator[str]:
    cells = [[_one_line(cell(row, key)) for key in columns] for row in rows]
    widths = [max(len(text) for text in texts) for texts in zip(columns, *cells, strict=True)]
    right = [is_number(rows, key) for key in columns]
    for line in [columns, *cells]:
        padded = (
            f"{text:>{width}}" if is_right else f"{text:<{width}}"
            for text, width, is_right in zip(line, widths, right, strict=True)
        )
        yield "  ".join(padded).rstrip()


def _one_line(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= WIDEST else text[: WIDEST - 1] + "…"
