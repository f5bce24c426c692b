"""The page of one run, study or search: what it is, its metrics, tags and note, its files, and the runs that belong to it."""

from __future__ import annotations

from typing import Any

from kerasexp.browser.filter_expression import in_quotes
from kerasexp.browser.live_page import live_page, live_parts
from kerasexp.browser.run_index import RunIndex
from kerasexp.browser.run_list import MARKS, ListRequest, headings, listed
from kerasexp.browser.run_processes import RESUMABLE, can_stop, is_resuming
from kerasexp.browser.run_query import Answer, Row, in_order
from kerasexp.browser.run_tags import read_tags
from kerasexp.browser.served_files import files_of
from kerasexp.browser.table import interval_text, shown
from kerasexp.errors import Problem, UserError

# Facts of a run, and what they are called.
FACTS = {
    "started": "started", "ended": "ended", "minutes": "minutes", "seconds": "seconds of training", "epochs": "epochs",
    "changes": "what differs", "best": "best on val", "runs": "runs", "finished": "finished runs", "parameters": "parameters",
    "flops": "FLOPs for one image", "precision": "precision", "data.origin": "data", "processor": "processor",
    "kerasexp": "kerasexp", "search.algorithm": "algorithm", "search.objective": "objective",
}  # fmt: skip
METRICS = ("accuracy", "loss", "macro_f1", "macro_recall", "macro_auc", "top_3_accuracy", "nll", "brier", "ece")
CHILDREN = ("path", "status", "val.accuracy", "test.accuracy", "epochs", "seconds", "changes")
REPORTS = {"study": "study.html", "search": "search.html"}
IDENTIFYING = ("path", "kind", "of", "name", "status", "cause", "archived")


def run_page(index: RunIndex, path: str) -> dict[str, Any]:
    """Return what the page of a run, a study or a search shows.

    Raises:
        UserError: there is none of this path.
    """
    metrics = [f"{split}.{name}" for split in ("val", "test") for name in METRICS]
    ends = [f"{key}_{end}" for key in (*metrics, *CHILDREN) for end in ("low", "high")]
    rows = index.rows(dict.fromkeys([*IDENTIFYING, *FACTS, *metrics, *CHILDREN, *ends]))
    row = next((row for row in rows if row.get("path") == path), None)
    if row is None:
        raise UserError(Problem("no such run; it may have been deleted meanwhile", path))
    place, kind = index.root / path, str(row["kind"])
    files = files_of(place) if place.is_dir() else []
    report, live = REPORTS.get(kind, "report.html"), live_page(place, path, kind)
    children = in_order((each for each in rows if each.get("of") == path), "path", descending=False)
    request = ListRequest(filter=f"of = {in_quotes(path)}", within=True, columns=CHILDREN)
    return {
        "run": row,
        "path": path,
        "kind": kind,
        "mark": MARKS.get(str(row.get("status")), ""),
        "facts": [(label, shown(row[key], key)) for key, label in FACTS.items() if row.get(key) is not None],
        "metrics": [(name, [_with_interval(row, f"{split}.{name}") for split in ("val", "test")]) for name in METRICS
                    if any(row.get(f"{split}.{name}") is not None for split in ("val", "test"))],
        "tags": read_tags(place),
        "live": live and live_parts(live),
        "files": files,
        "report": report if report in files else None,
        # What belongs to a study or a search is stopped and continued with all of it.
        "can_stop": row.get("of") is None and can_stop(place, str(row.get("status"))),
        "can_resume": row.get("of") is None and row.get("status") in RESUMABLE and not is_resuming(place),
        "is_resuming": row.get("status") != "running" and is_resuming(place),
        "request": request,
        "headings": headings(Answer(list(CHILDREN), children), request),
        "children": listed(list(CHILDREN), children),
    }  # fmt: skip


def _with_interval(row: Row, key: str) -> tuple[str, str]:
    return shown(row.get(key), key), interval_text(row, key)
