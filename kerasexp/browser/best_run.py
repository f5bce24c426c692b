"""The best finished run by a metric, and what to know before one trusts it."""

from __future__ import annotations

from collections.abc import Iterator

from kerasexp.browser.run_keys import less_is_better
from kerasexp.browser.run_query import Answer, in_order
from kerasexp.errors import Problem, UserError

RUNS = ("run", "trial")


def ranking(answer: Answer) -> Answer:
    """Return the finished runs that have the first column, the best first.

    Raises:
        UserError: there is none, or the column is a text.
    """
    by = answer.columns[0]
    finished = [row for row in answer.rows if row.get("kind") in RUNS and row.get("status") == "finished"]
    scored = [row for row in finished if row.get(by) is not None]
    if not scored:
        reason = "has it" if finished else "passes"
        raise UserError(Problem(answer.hint or f"no finished run {reason}", key=f"--by {by}"))
    if isinstance(scored[0][by], str):
        raise UserError(Problem(f"is a text, such as {scored[0][by]!r:.60}; a metric is needed here", key=f"--by {by}"))
    return Answer(answer.columns, in_order(scored, by, descending=not less_is_better(by)))


def remarks(ranked: Answer) -> Iterator[str]:
    """Yield what a reader has to know: ties, and a choice by the test split."""
    by = ranked.columns[0]
    tied = sum(row[by] == ranked.rows[0][by] for row in ranked.rows)
    if tied > 1:
        yield f"{tied} of {len(ranked.rows)} runs have the same {by}; this is the first of them"
    if by.startswith("test.") and len(ranked.rows) > 1:
        yield (
            f"chosen by {by} among {len(ranked.rows)} runs: the metric of the best is too good to be true of new images; "
            "choose by val, and read test once"
        )
