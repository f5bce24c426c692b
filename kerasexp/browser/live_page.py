"""The parts of a page that change while a run, a study or a search runs, as HTML and as numbers of its plots."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kerasexp.browser.live_run import live_run
from kerasexp.browser.live_search import LiveSearch, live_search
from kerasexp.browser.live_study import LiveStudy, live_study
from kerasexp.browser.run_folders import SUMMARIES
from kerasexp.browser.run_list import MARKS
from kerasexp.browser.search_importance import importance_so_far
from kerasexp.report.template_environment import template_environment

PARTS = ("now", "results")


def live_parts(found: LiveStudy | LiveSearch, parts: tuple[str, ...] = PARTS) -> dict[str, str]:
    """Return parts of the page as HTML: what is done `now`, and the `results` so far."""
    name = "study" if isinstance(found, LiveStudy) else "search"
    macros = template_environment().get_template("live_parts.html").module
    return {part: str(getattr(macros, f"{name}_{part}")(found, MARKS)) for part in parts}


def live_page(place: Path, path: str, kind: str) -> LiveStudy | LiveSearch | None:
    """Return how far a study or a search has come; None for a run, and for a search that cannot be read."""
    if kind == "study":
        return live_study(place, path)
    return live_search(place, path) if kind == "search" else None


def live_values(place: Path, path: str, seen: str) -> dict[str, Any]:
    """Return what the script of a page asks for every second, as plain JSON values.

    Args:
        place: the directory of a run, a study or a search.
        path: the same, relative to the folder of all runs.
        seen: the `version` of the last answer; of the same one, only what is done now is returned.
    """
    kind = next((kind for kind, file in SUMMARIES.items() if (place / file).is_file()), "run")
    if kind == "run":
        return live_run(place)
    found = live_page(place, path, kind)
    if found is None:
        return {"status": "unknown", "version": "", "parts": {}}
    version = found.version
    parts = live_parts(found, PARTS[:1] if version == seen else PARTS)
    answer = {"status": found.status, "version": version, "parts": parts}
    if version == seen:
        return answer
    if isinstance(found, LiveStudy):
        return {**answer, "curves": found.curves()}
    scored = len(found.results.ranked)
    return {**answer, "best": found.best_so_far(), "parallel": found.parallel(), "scored": scored}


def live_importance(place: Path, path: str) -> dict[str, Any]:
    """Return the importance of the values of a search as HTML, and after how many trials it was estimated."""
    found = live_search(place, path)
    if found is None:
        return {"html": "", "scored": 0}
    held = importance_so_far(place, found.results)
    macros = template_environment().get_template("live_parts.html").module
    return {"html": str(macros.search_importance(held, found.names)), "scored": held.trials}
