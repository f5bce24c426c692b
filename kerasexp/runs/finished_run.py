"""Finished runs, loaded from their directories."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kerasexp.config import Experiment, load_experiment
from kerasexp.errors import Problem, UserError
from kerasexp.evaluation.predictions_csv import Outcomes, read_outcomes
from kerasexp.runs.directory import RunDirectory, numbered_runs

Curve = dict[str, np.ndarray]


@dataclass(frozen=True)
class FinishedRun:
    """What a run left, apart from its checkpoint.

    Attributes:
        directory: its files.
        experiment: fully resolved.
        manifest, metrics: as they were written.
        history: the columns of `history.csv`, float64 [epochs].
        early: the columns of `curve.csv`; None without `training.validate_at`.
        predictions: of the test split.
    """

    directory: RunDirectory
    experiment: Experiment
    manifest: dict[str, Any]
    metrics: dict[str, Any]
    history: Curve
    early: Curve | None
    predictions: Outcomes

    @property
    def name(self) -> str:
        return self.manifest["name"]


def read_finished(path: Path) -> FinishedRun:
    """Read a run directory, or the newest finished run of a folder of numbered runs, such as `runs/part2_random`.

    Raises:
        UserError: there is no finished run, or one of its files is missing or damaged.
    """
    directory = _locate(path)
    manifest = directory.read_manifest()
    if manifest.get("status") != "finished":
        status = manifest.get("status", "unknown")
        raise UserError(Problem(f"is not finished: its status is {status}; run it again", str(directory.path)))
    if "numerics_version" not in manifest:
        raise UserError(Problem("is a run of kerasexp 0.1, which is not read; run it again", str(directory.path)))
    metrics = _read_metrics(directory.metrics)
    return FinishedRun(
        directory,
        load_experiment(directory.experiment),
        manifest,
        metrics,
        _read_columns(directory.history),
        _read_columns(directory.curve) if directory.curve.is_file() else None,
        read_outcomes(directory.predictions, class_names(metrics)),
    )


def class_names(metrics: dict[str, Any]) -> list[str]:
    """Return the names of a run's classes in their order, from its metrics."""
    return list(metrics.get("test", {}).get("per_class", {}))


def _locate(path: Path) -> RunDirectory:
    if not path.exists():
        raise UserError(Problem("no such run directory", str(path)))
    if RunDirectory(path).manifest.is_file():
        return RunDirectory(path)
    runs = list(numbered_runs(path)) if path.is_dir() else []
    for run in runs:
        if run.read_manifest().get("status") == "finished":
            return run
    message = f"none of its {len(runs)} runs is finished" if runs else "is no run directory: it holds no manifest.json"
    study = next((place for place in (path, *(run.path for run in runs)) if (place / "study.json").is_file()), None)
    if study is not None:
        message = (
            f"is a study; name its runs, such as {study}/VARIANT/0, or its variants, of which the last seed is taken"
        )
    raise UserError(Problem(message, str(path)))


def _read_metrics(path: Path) -> dict[str, Any]:
    try:
        return json.loads(path.read_text(encoding="utf-8", errors="surrogateescape"))
    except (OSError, ValueError) as error:
        raise UserError(Problem(f"cannot be read: {error}", str(path))) from None


def _read_columns(path: Path) -> Curve:
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        return {name: np.array([row[name] for row in rows], np.float64) for name in rows[0]}
    except (OSError, ValueError, IndexError, TypeError) as error:
        raise UserError(Problem(f"cannot be read: {error}", str(path))) from None
