"""Unfinished runs: finding the one that an experiment may go on with, and opening it again."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kerasexp.config import Experiment, load_experiment
from kerasexp.console import Console
from kerasexp.environment import now
from kerasexp.errors import Problem, UserError
from kerasexp.runs.directory import RunDirectory, earlier_runs
from kerasexp.runs.identity import Identity
from kerasexp.storage import written


def is_finished(run: RunDirectory, identity: Identity) -> bool:
    """Return whether this very run has been done, and its model is there."""
    manifest = run.read_manifest()
    return manifest.get("status") == "finished" and manifest.get("key") == identity.run and run.model.is_file()


def unfinished_run(experiment: Experiment, identity: Identity, run_dir: Path | None) -> RunDirectory | None:
    """Return the run to go on with: the one in `run_dir`, or the newest that differs in the number of epochs at most.

    A finished run with as many epochs is found as well; one that failed is, too: its last state is from before.

    Raises:
        UserError: `run_dir` holds something else, or a run of fewer epochs is asked for than were done.
    """
    if run_dir is None:
        runs = (
            run for run in earlier_runs(experiment.name) if run.read_manifest().get("resume_key") == identity.resume
        )
        return next((run for run in runs if _may_go_on(run, experiment, identity)), None)
    if not run_dir.exists():
        return None
    run = RunDirectory(run_dir)
    manifest = run.read_manifest()
    if run.is_barely_begun():
        return run
    if not manifest:
        raise UserError(Problem("holds no run: it has no manifest.json", str(run_dir), "--resume"))
    if manifest.get("resume_key") != identity.resume:
        message = (
            "holds a run of other settings, other data or another version of kerasexp; `compare` tells what differs"
        )
        raise UserError(Problem(message, str(run_dir), "--resume"))
    if not _may_go_on(run, experiment, identity):
        epochs = load_experiment(run.experiment).training.epochs
        message = f"got {experiment.training.epochs}, and the run there has finished {epochs}; give more"
        raise UserError(Problem(message, str(run_dir), "training.epochs"))
    return run


def copy_finished(identity: Identity, runs: Sequence[Path], to: Path) -> None:
    """Copy to `to` the first of these runs that is finished and has these identity, if there is one."""
    found = next((path for path in runs if is_finished(RunDirectory(path), identity)), None)
    if found is not None:
        copy_run(found, to)


def copy_run(run: Path, to: Path) -> None:
    """Copy a run's directory to a place where nothing is, all at once."""
    temporary = to.with_name(f".{to.name}.copy")
    with written(to):
        shutil.rmtree(temporary, ignore_errors=True)
        shutil.copytree(run, temporary)
        temporary.rename(to)


def reopen(run: RunDirectory, experiment: Experiment, manifest: dict[str, Any], console: Console) -> None:
    """Make ready to go on: the folders, what the old manifest knows of the beginning, and a word on what changes."""
    run.make_folders()
    run.sweep()
    before = run.read_manifest()
    if not before:
        return
    manifest["times"]["started"] = before["times"]["started"]
    manifest["resumed"] = [*before.get("resumed", []), now()]
    console.line(f"going on with {run.path}")
    epochs, planned = experiment.training.epochs, load_experiment(run.experiment).training.epochs
    schedule = experiment.training.schedule
    if epochs != planned:
        console.line(f"{planned} epochs become {epochs}")
        if schedule.name in ("cosine", "one_cycle"):
            console.line(
                f"the {schedule.name} schedule is stretched to {epochs} epochs: the learning rate goes on at the place where "
                "it would be in a training of that length, and what was done at the old rates stays done"
            )


def _may_go_on(run: RunDirectory, experiment: Experiment, identity: Identity) -> bool:
    """An unfinished run may, and a finished one that has done as many epochs or fewer."""
    if run.read_manifest().get("status") != "finished" or is_finished(run, identity):
        return True
    return load_experiment(run.experiment).training.epochs < experiment.training.epochs
