"""What a run reports when it has ended."""

from __future__ import annotations

import json
from typing import Any

from kerasexp.console import Finished
from kerasexp.console.shown_words import duration_text, shown_path
from kerasexp.runs.directory import RunDirectory

SPLITS = ("val", "test")


def finished_event(run: RunDirectory) -> Finished:
    """Return the event of a finished run: its metrics without those per class, its training time, its page."""
    found = _metrics(run)
    metrics = {split: _numbers(found[split]) for split in SPLITS if split in found}
    metrics |= {key: found[key] for key in ("epochs", "kept_epoch") if found.get(key) is not None}
    report, seconds = run.report if run.report.is_file() else None, found.get("train_seconds")
    words = [
        *([] if seconds is None else [f"trained in {duration_text(seconds)}"]),
        *([] if report is None else [f"report: {shown_path(report)}"]),
    ]
    name = run.read_manifest().get("name", run.path.name)
    return Finished("run", name, run.path, report, metrics, seconds, text="; ".join(words))


def _metrics(run: RunDirectory) -> dict[str, Any]:
    try:
        return json.loads(run.metrics.read_text(encoding="utf-8", errors="surrogateescape"))
    except (OSError, ValueError):
        return {}


def _numbers(metrics: dict[str, Any]) -> dict[str, float]:
    return {
        key: value for key, value in metrics.items() if isinstance(value, int | float) and not isinstance(value, bool)
    }
