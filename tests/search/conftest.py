"""A small space, and trials that are made up instead of trained."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path

import pytest

from kerasexp.executors.tasks import Failure, TaskResult

SPACE = """
data: {source: digits, preprocessing: {size: [14, 14]}}
model:
  name: cnn
  blocks:
    - {filters: {choice: [4, 8]}, pool: 2}
    - {filters: {int: [4, 12], step: 4}, pool: 2, when: {depth: 2}}
  head: {units: {choice: [[], [16]]}}
training: {epochs: 9, batch_size: 100, optimizer: {learning_rate: {float: [0.0001, 0.03], sampling: log}}}
search: {max_trials: 6, algorithm: random, variables: {depth: {int: [1, 2]}}, confirm: []}
"""


@pytest.fixture
def search_yaml(tmp_path) -> Path:
    path = tmp_path / "space.yaml"
    path.write_text(SPACE)
    return path


class FakeTrials:
    """Trials whose score is a function of learning rate and filters; some may fail.

    Attributes:
        started: the names of the trials, once per start.
        failures: by name, how a trial fails.
        stops: at the start of which trial, counted from 1, the process is asked to stop.
    """

    def __init__(self):
        self.started: list[str] = []
        self.parents: dict[str, Path | None] = {}
        self.epochs: dict[str, int] = {}
        self.failures: dict[str, Failure] = {}
        self.stops: int | None = None

    def run_task(self, task, cache):
        self.started.append(task.name)
        self.parents[task.name] = task.parent
        if self.stops == len(self.started):
            raise KeyboardInterrupt
        if task.name in self.failures:
            return TaskResult(task, self.failures[task.name])
        experiment, epochs = task.experiment, task.experiment.training.epochs
        self.epochs[task.name] = epochs
        score = (
            1
            - experiment.training.optimizer.learning_rate * 10
            - 1 / (100 + experiment.model.blocks[0].filters * epochs)
        )
        for name in ("checkpoint", "state"):
            (task.folder / name).mkdir(parents=True)
        (task.folder / "checkpoint" / "model.keras").write_text(task.name)
        (task.folder / "manifest.json").write_text(json.dumps({"status": "finished", "parameters": 100}))
        rows = "".join(f"{k},{score - 1 / (k + 9)},{1 - score}\n" for k in range(1, epochs + 1))
        (task.folder / "history.csv").write_text("epoch,val_accuracy,val_loss\n" + rows)
        val = {"accuracy": score, "loss": 1 - score, "macro_f1": score / 2}
        (task.folder / "metrics.json").write_text(json.dumps({"val": val, "epochs": epochs, "train_seconds": 0.5}))
        return TaskResult(task)


@pytest.fixture
def fake_trials(monkeypatch) -> FakeTrials:
    trials = FakeTrials()
    monkeypatch.setattr("kerasexp.executors.tasks.run_task", trials.run_task)
    monkeypatch.setattr(import_module("kerasexp.search.check"), "MAX_MODELS", 1)
    return trials
