"""Directories of a study and a search that are under way, written without training."""

from __future__ import annotations

import json
from pathlib import Path

from many_runs import write_run

from kerasexp.config import Search, load
from kerasexp.search.directory import SearchDirectory
from kerasexp.search.results import Trial
from kerasexp.storage import write_json, write_text

SPACE = """
name: found
data: digits
model:
  name: cnn
  blocks:
    - {filters: {choice: [4, 8]}, pool: 2}
    - {filters: {int: [4, 12], step: 4}, pool: 2, when: {depth: 2}}
  head: {units: {choice: [[], [16]]}}
training: {epochs: 9, optimizer: {learning_rate: {float: [0.0001, 0.01], sampling: log}}}
search: {max_trials: 20, algorithm: random, variables: {depth: {int: [1, 2]}}, confirm: []}
"""
BLOCKS, RATE, UNITS = "model.blocks.{}.filters", "training.optimizer.learning_rate", "model.head.units"


def at_step(run: Path, epoch: int, step: int, **more: object) -> None:
    """Write where a training is."""
    content = {"phase": "training", "epoch": epoch, "epochs": 10, "step": step, "steps": 100, "steps_per_second": 10.0}
    write_json(run / "progress.json", {**content, **more})


def write_study(place: Path) -> Path:
    """Write a study of two variants and three seeds: two runs finished, one in its second epoch, one failed, two waiting."""
    place.mkdir(parents=True)
    for number in (0, 1):
        write_run(place / "small" / str(number), number, name="study")
    at_step(write_run(place / "small/2", 2, "running", name="study"), 2, 50)
    write_run(place / "large/0", 3, "failed", name="study")
    manifest = place / "large/0/manifest.json"
    manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "cause": "the disk is <full>"}))
    outcomes = {
        variant: [
            {"variant": variant, "seed": seed, "folder": f"{variant}/{seed}", "status": "waiting"} for seed in range(3)
        ]
        for variant in ("small", "large")
    }
    variants = [{"name": name, "runs": runs, "metrics": {}, "reported": {}} for name, runs in outcomes.items()]
    write_json(place / "study.json", {"name": "study", "status": "unfinished", "variants": variants})
    return place


def trial(number: int, score: float | None, **more: object) -> Trial:
    """Return a trial that has ended; its values follow from its number."""
    depth = 1 + number % 2
    values = {"depth": depth, BLOCKS.format(0): (4, 8)[number // 2 % 2], UNITS: ([], [16])[number % 2]}
    values |= {BLOCKS.format(1): 8} if depth == 2 else {}
    values[RATE] = 0.0001 * 10 ** (number % 5 / 2)
    fixed = {"epochs": 9, "seconds": 2.0, "ended": 10.0 * (number + 1), "loss": 1.0}
    status = "finished" if score is not None else "failed"
    return Trial(f"{number:04d}", values, **{"status": status, "score": score, **fixed, **more})


def write_search(place: Path, trials: list[Trial]) -> Path:
    """Write a search of these trials, and a running one after them."""
    place.mkdir(parents=True)
    write_text(place.parent / "space.yaml", SPACE)
    search = load(place.parent / "space.yaml")
    assert isinstance(search, Search)
    directory = SearchDirectory(place)
    from kerasexp.config import resolved_yaml

    write_text(directory.yaml, resolved_yaml(search))
    end_trials(place, search, trials)
    open_one = place / f"trial_{len(trials):04d}"
    at_step(write_run(open_one / "run", 5, "running", name="found"), 4, 20)
    # keras-tuner has lists as JSON.
    values = {"depth": 1, BLOCKS.format(0): 8, UNITS: "[16]", RATE: 0.001, BLOCKS.format(1): 4}
    write_json(open_one / "trial.json", {"status": "RUNNING", "hyperparameters": {"values": values}})
    return place


def end_trials(place: Path, search: Search, trials: list[Trial]) -> None:
    """Write which trials of a search have ended."""
    SearchDirectory(place).write(search, {"status": "unfinished", "trials": [vars(each) for each in trials]})
