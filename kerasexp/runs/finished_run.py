"""Runs, loaded from their directories: finished ones, and what unfinished ones have written so far."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from kerasexp.config import Experiment, load_experiment
from kerasexp.errors import Problem, RunError, UserError
from kerasexp.evaluation.predictions_csv import Outcomes, read_outcomes
from kerasexp.runs.directory import RunDirectory, numbered_runs
from kerasexp.runs.resume_command import resume_command
from kerasexp.training.gradient_record import NO_GRADIENTS, Gradients

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
    """

    directory: RunDirectory
    experiment: Experiment
    manifest: dict[str, Any]
    metrics: dict[str, Any]
    history: Curve
    early: Curve | None

    @property
    def name(self) -> str:
        return self.manifest["name"]

    @cached_property
    def predictions(self) -> Outcomes:
        """The predictions of the test split, read when they are first asked for: a study of thousands of runs needs none.

        Raises:
            UserError: the file is missing or damaged.
        """
        names = class_names(self.metrics)
        return read_outcomes(self.directory.predictions, names, self.experiment.data.multi_label)


def read_finished(path: Path) -> FinishedRun:
    """Read a run directory, or the newest finished run of a folder of numbered runs, such as `runs/part2_random`.

    Raises:
        UserError: there is no finished run, or one of its files is missing or damaged.
    """
    directory = locate(path)
    manifest = directory.read_manifest()
    if manifest.get("status") != "finished":
        status, command = manifest.get("status", "unknown"), resume_command(directory)
        message = f"is not finished: its status is {status}; continue it with: {command}"
        raise UserError(Problem(message, str(directory.path)))
    if "numerics_version" not in manifest:
        raise UserError(Problem("is a run of kerasexp 0.1, which cannot be read; run it again", str(directory.path)))
    metrics, experiment = _read_metrics(directory.metrics), load_experiment(directory.experiment)
    return FinishedRun(
        directory,
        experiment,
        manifest,
        metrics,
        _read_columns(directory.history),
        _read_columns(directory.curve) if directory.curve.is_file() else None,
    )


def class_names(metrics: dict[str, Any]) -> list[str]:
    """Return the names of a run's classes in their order, from its metrics."""
    return list(metrics.get("test", {}).get("per_class", {}))


def measured_split(metrics: dict[str, Any]) -> str:
    """Return the split that judges a run: test, or val for a trial of a search, which never reads test."""
    return "test" if "test" in metrics else "val"


def is_unfinished(run: RunDirectory) -> bool:
    """Whether a run is there and has not come to its end; one of kerasexp 0.1 is not read."""
    manifest = run.read_manifest()
    return "numerics_version" in manifest and manifest.get("status") != "finished"


def locate(path: Path, or_unfinished: bool = False) -> RunDirectory:
    """Return a run directory, or the newest finished run of a folder of numbered runs, such as `runs/part2_random`.

    Args:
        path: the directory or the folder.
        or_unfinished: whether the newest unfinished one will do where none has finished.

    Raises:
        UserError: there is none.
    """
    if not path.exists():
        raise UserError(Problem("no such run directory", str(path)))
    if RunDirectory(path).manifest.is_file():
        return RunDirectory(path)
    runs = list(numbered_runs(path)) if path.is_dir() else []
    for run in runs:
        if run.read_manifest().get("status") == "finished":
            return run
    if or_unfinished and (unfinished := [run for run in runs if is_unfinished(run)]):
        return unfinished[0]
    message = (
        f"none of its {len(runs)} runs is finished" if runs else "is not a run directory: it holds no manifest.json"
    )
    study = next((place for place in (path, *(run.path for run in runs)) if (place / "study.json").is_file()), None)
    if study is not None:
        message = (
            f"is a study; name its runs, such as {study}/VARIANT/0, or its variants, of which the last seed is taken"
        )
    raise UserError(Problem(message, str(path)))


def history_rows(run: RunDirectory) -> list[dict[str, float]]:
    """Return the rows of `history.csv`; raise UserError if it cannot be read."""
    return _rows(_read_columns(run.history))


def early_rows(run: RunDirectory) -> list[dict[str, float]]:
    """Return the rows of `curve.csv`, none without `training.validate_at`; raise UserError if it cannot be read."""
    return _rows(_read_columns(run.curve)) if run.curve.is_file() else []


def _rows(columns: dict[str, np.ndarray]) -> list[dict[str, float]]:
    values = zip(*(column.tolist() for column in columns.values()), strict=True)
    return [
        {name: int(value) if name in ("epoch", "step") else value for name, value in zip(columns, row, strict=True)}
        for row in values
    ]


def gradients_of(run: RunDirectory) -> Gradients:
    """Load `gradients.csv`; a run without it has no gradients.

    Raises:
        RunError: it cannot be read.
    """
    path = run.gradients
    if not path.is_file():
        return NO_GRADIENTS
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        steps, layers = (list(dict.fromkeys(row[name] for row in rows)) for name in ("step", "layer"))
        columns = ("mean_gradient", "max_gradient", "update_ratio")
        values = np.array([[row[name] for name in columns] for row in rows], np.float32)
        mean, largest, ratio = np.moveaxis(values.reshape(len(steps), len(layers), len(columns)), -1, 0)
        return Gradients(np.array(steps, np.int64), layers, mean, largest, ratio)
    except (OSError, ValueError, KeyError) as error:
        raise RunError(f"{path}: cannot be read: {error}") from None


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
