"""Training alone: a run without the evaluation and the report that follow."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import NamedTuple

import keras
import pytest

from kerasexp.config import load_experiment
from kerasexp.console import Console
from kerasexp.data.prepared_data import prepare
from kerasexp.models import build_model
from kerasexp.runs.directory import RunDirectory
from kerasexp.training.fit import fit_by_gradients
from kerasexp.training.precision import make_deterministic
from kerasexp.training.training_result import TrainingResult


class Trained(NamedTuple):
    """The trained model, the results of the training, and its directory."""

    model: keras.Model
    fitted: TrainingResult
    run: RunDirectory


@pytest.fixture
def train(tiny_yaml):
    """Return a function that trains the tiny experiment, with changes such as `training.epochs=1`, in a directory or a new one."""

    def trained(*changes: str, run: RunDirectory | None = None) -> Trained:
        experiment = load_experiment(tiny_yaml, changes)
        data = prepare(experiment.data)
        keras.utils.set_random_seed(experiment.seed)
        make_deterministic()
        model = build_model(experiment.model, experiment.data.preprocessing, len(data.class_names), experiment.name)
        run = run or RunDirectory.create(experiment.name, None)
        return Trained(model, fit_by_gradients(model, data, experiment, run, Console(quiet=True)), run)

    return trained


@pytest.fixture
def table():
    """Return a function that gives the rows of a CSV file."""

    def rows(path: Path) -> list[dict[str, str]]:
        with path.open(newline="") as file:
            return list(csv.DictReader(file))

    return rows
