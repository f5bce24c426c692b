"""The names of the files in a run directory; no other module states them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from kerasexp.storage import GrowingTable, write_rows

RAW_MODEL, CARD = "model_raw.keras", "README.md"


def numbered_folders(folder: Path) -> list[Path]:
    """Return what is named 1, 2, ... in a folder, the newest first; `007` and `5²` are no numbers."""
    found = [path for path in folder.iterdir() if re.fullmatch("[1-9][0-9]*", path.name)] if folder.is_dir() else []
    return sorted(found, key=lambda path: int(path.name), reverse=True)


class RunFiles:
    """The paths of a run's files."""

    def __init__(self, path: Path):
        self.path = path
        self._growing: dict[Path, GrowingTable] = {}

    experiment = property(lambda self: self.path / "experiment.yaml")
    manifest = property(lambda self: self.path / "manifest.json")
    history = property(lambda self: self.path / "history.csv")
    progress = property(lambda self: self.path / "progress.json")
    state = property(lambda self: self.path / "state")
    curve = property(lambda self: self.path / "curve.csv")
    gradients = property(lambda self: self.path / "gradients.csv")
    metrics = property(lambda self: self.path / "metrics.json")
    diff = property(lambda self: self.path / "uncommitted.diff")
    tags = property(lambda self: self.path / "tags.json")
    tracking = property(lambda self: self.path / "tracking.json")
    wandb = property(lambda self: self.path / "wandb")
    tracking_lock = property(lambda self: self.path / ".tracking.lock")
    lock = property(lambda self: self.path / ".lock")
    # Of the process that has the lock; only a killed process leaves it.
    process = property(lambda self: self.path / ".process.json")
    predictions = property(lambda self: self.path / "predictions.csv")
    confusion = property(lambda self: self.path / "confusion.csv")
    report = property(lambda self: self.path / "report.html")
    plots = property(lambda self: self.path / "plots")
    tensorboard = property(lambda self: self.path / "tensorboard")
    checkpoint = property(lambda self: self.path / "checkpoint")
    model = property(lambda self: self.checkpoint / "model.keras")
    raw_model = property(lambda self: self.checkpoint / RAW_MODEL)
    card = property(lambda self: self.checkpoint / CARD)

    def write_history(self, rows: list[dict[str, float]]) -> None:
        """Write `history.csv`: one line per epoch."""
        self._table(self.history).write(rows)

    def write_curve(self, rows: list[dict[str, float]]) -> None:
        """Write `curve.csv`: one line per evaluation at the steps of `training.validate_at` and at the ends of epochs."""
        self._table(self.curve).write(rows)

    def write_gradients(self, rows: list[dict[str, str | int | float]]) -> None:
        """Write `gradients.csv`: one line per sampled step and layer."""
        write_rows(self.gradients, rows)

    def _table(self, path: Path) -> GrowingTable:
        return self._growing.setdefault(path, GrowingTable(path))

    def read_manifest(self) -> dict[str, Any]:
        """Return the manifest; an empty dict if there is none or it cannot be read."""
        return read_mapping(self.manifest)


def read_mapping(path: Path) -> dict[str, Any]:
    """Return the mapping in a JSON file of a run, a study or a search; an empty one if there is none or it cannot be read."""
    try:
        content = json.loads(path.read_text(encoding="utf-8", errors="surrogateescape"))
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}
