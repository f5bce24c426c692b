"""What the page of a run draws and shows while it trains: curves, position, speed, time left, the last gradients."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path
from typing import Any

from kerasexp.browser.run_index import status_now
from kerasexp.saving.saved_files import RunFiles

Column = list[float | None]


def live_run(place: Path) -> dict[str, Any]:
    """Return the curves of a run directory, and of a running or killed run how far it has come, as plain JSON values."""
    run = RunFiles(place)
    status = status_now(place, str(run.read_manifest().get("status", "unknown")))
    progress = read_progress(run.progress) if status in ("running", "killed") else None
    return {
        "status": status,
        "history": read_columns(run.history),
        "curve": read_columns(run.curve),
        "gradients": _last_gradients(run.gradients),
        "points": [] if progress is None else progress.pop("points", []),
        "progress": progress,
    }


def read_progress(path: Path) -> dict[str, Any] | None:
    """Return where a training is, with the seconds that it will still take at its present speed, without its validations."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        total, done = found["epochs"] * found["steps"], (found["epoch"] - 1) * found["steps"] + found["step"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    speed = found.get("steps_per_second")
    return {**found, "share": done / max(total, 1), "seconds_left": (total - done) / speed if speed else None}


def read_columns(path: Path) -> dict[str, Column]:
    """Return the columns of a CSV file of numbers; what is not finite is None; no columns if there is no such file."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        return {name: [_finite(row[name]) for row in rows] for name in rows[0]}
    except (OSError, ValueError, IndexError, TypeError, csv.Error):
        return {}


def _last_gradients(path: Path) -> list[dict[str, Any]]:
    """Return layer, mean gradient and size of the update of the last recorded step."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        return [
            {"layer": row["layer"], "step": int(row["step"]), "mean_gradient": _finite(row["mean_gradient"]),
             "update_ratio": _finite(row["update_ratio"])}
            for row in rows
            if row["step"] == rows[-1]["step"]
        ]  # fmt: skip
    except (OSError, ValueError, KeyError, IndexError, TypeError, csv.Error):
        return []


def _finite(text: str) -> float | None:
    value = float(text)
    return value if math.isfinite(value) else None
