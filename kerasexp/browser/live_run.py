"""What the page of a run draws and shows while it trains: curves, position, speed, time left, the last gradients."""

from __future__ import annotations

import csv
import math
from pathlib import Path
from typing import Any

from kerasexp.browser.run_index import status_now
from kerasexp.console.shown_words import duration_text
from kerasexp.saving.json_values import text_of
from kerasexp.saving.saved_files import RunFiles
from kerasexp.saving.training_progress import TrainingProgress, read_progress

Column = list[float | None]


def live_run(place: Path) -> dict[str, Any]:
    """Return the curves of a run directory, and of a running or killed run how far it has come, as plain JSON values."""
    run = RunFiles(place)
    status = status_now(place, text_of(run.read_manifest().get("status"), "unknown"))
    progress = read_progress(run.progress) if status in ("running", "killed") else None
    return {
        "status": status,
        "history": read_columns(run.history),
        "curve": read_columns(run.curve),
        "gradients": _last_gradients(run.gradients),
        "points": [] if progress is None else progress.points,
        "progress": _shown(progress),
    }


def _shown(progress: TrainingProgress | None) -> dict[str, Any] | None:
    """Return what the page shows of the progress of a training."""
    if progress is None:
        return None
    at = progress.position
    return {
        "phase": at.phase,
        "epoch": at.epoch,
        "epochs": at.epochs,
        "step": at.step,
        "steps": at.steps,
        "share": at.share,
        "left": None if at.seconds_left is None else duration_text(at.seconds_left),
        "steps_per_second": progress.steps_per_second,
        "images_per_second": at.images_per_second,
        "memory_bytes": progress.memory_bytes,
    }


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
