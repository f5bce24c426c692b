"""Existing runs: a finished one to reuse, or an unfinished one to continue."""

from __future__ import annotations

import math
from contextlib import suppress
from pathlib import Path
from typing import Any

from kerasexp.config import Experiment, load_experiment
from kerasexp.config.code_keys import custom_parts
from kerasexp.console import Console
from kerasexp.errors import Problem, UserError, listing
from kerasexp.runs.directory import RunDirectory, earlier_runs
from kerasexp.runs.identity import Identity
from kerasexp.runs.run_request import RunRequest


def find_run(request: RunRequest, identity: Identity, console: Console) -> RunDirectory | None:
    """Return the existing run for a request, finished or to be continued, and report it; None if a new one is needed.

    Raises:
        UserError: `run_dir` holds something else, or has finished more epochs than are asked for, or has no state any more.
    """
    name, run_dir = request.experiment.name, request.run_dir
    if request.is_upstream:
        done = next((run for run in earlier_runs(name) if _is_the_same(run, identity)), None)
        if done is not None:
            console.line(f"starting from {done.path}, which has run before")
            return done
    if run_dir is not None and not run_dir.exists():
        same = next((path for path in request.earlier if _is_the_same(RunDirectory(path), identity)), None)
        if same is not None:
            RunDirectory(same).copy_to(run_dir)
    if run_dir is not None and not request.resume:
        return None
    found = _unfinished_run(request.experiment, identity, run_dir)
    is_done = found is not None and is_finished(found, identity)
    if found is not None and not is_done and _has_lost_its_state(found):
        lost = "has finished, and has no state from which it could continue; `runs clean` deletes it"
        if run_dir is not None:
            raise UserError(Problem(f"{lost}. Name another --run-dir", str(run_dir), "--resume"))
        if request.resume:
            console.line(f"{found.path} {lost}. A new run begins")
        return None
    if found is not None and not request.resume:
        if not is_done:
            console.line(f"{found.path} holds the same run, unfinished; --resume continues it")
        return None
    if is_done:
        console.line(f"{found.path} has finished already")
    return found


def is_finished(run: RunDirectory, identity: Identity) -> bool:
    """Return whether a directory holds this very run, finished and with its model."""
    manifest = run.read_manifest()
    return manifest.get("status") == "finished" and manifest.get("key") == identity.run and run.model.is_file()


def _is_the_same(run: RunDirectory, identity: Identity) -> bool:
    """Return whether a directory holds a run that can stand for this one: the same, and never continued to another length.

    A schedule that follows the number of epochs began in such a run as that of another training.
    """
    return is_finished(run, identity) and "stretched_from" not in run.read_manifest()


def _has_lost_its_state(run: RunDirectory) -> bool:
    """Return whether a run has finished and nothing is left to continue from: it would be trained anew, over its checkpoint."""
    return run.read_manifest().get("status") == "finished" and not any(run.state.glob("*.npz"))


def _trained_epochs(run: RunDirectory) -> int:
    """Return how many epochs a run has ended, whatever its status."""
    with suppress(OSError, ValueError), run.history.open(encoding="utf-8") as file:
        return max(sum(1 for _ in file) - 1, 0)
    return 0


def _unfinished_run(experiment: Experiment, identity: Identity, run_dir: Path | None) -> RunDirectory | None:
    """Return the run to continue: the one in `run_dir`, or the newest that differs in the number of epochs at most.

    A finished run with as many epochs is found as well. So is one that failed: its last state is from before.
    """
    if run_dir is None:
        runs = (
            run for run in earlier_runs(experiment.name) if run.read_manifest().get("resume_key") == identity.resume
        )
        return next((run for run in runs if _can_continue(run, experiment, identity)), None)
    if not run_dir.exists():
        return None
    run = RunDirectory(run_dir)
    manifest = run.read_manifest()
    if run.is_barely_begun():
        return run
    if not manifest:
        raise UserError(Problem("holds no run: it has no manifest.json", str(run_dir), "--resume"))
    if manifest.get("resume_key") != identity.resume:
        if changed := _changed_code(manifest, experiment):
            raise UserError(Problem(f"its code has changed since: {listing(changed)}", str(run_dir), "--resume"))
        message = (
            "holds a run of other settings, other data or another version of kerasexp; `compare` shows what differs"
        )
        raise UserError(Problem(message, str(run_dir), "--resume"))
    if not _can_continue(run, experiment, identity):
        if (limit := manifest.get("time_limit")) is not None:
            given, used = experiment.training.max_minutes, limit["minutes"]
            message = f"got {given:g}, and the run there has used {used:g}; give more, or null"
            raise UserError(Problem(message, str(run_dir), "training.max_minutes"))
        is_finished_run = manifest.get("status") == "finished"
        epochs = load_experiment(run.experiment).training.epochs if is_finished_run else _trained_epochs(run)
        has = "finished" if is_finished_run else "trained"
        message = f"got {experiment.training.epochs}, and the run there has {has} {epochs}; give more"
        raise UserError(Problem(message, str(run_dir), "training.epochs"))
    return run


def _changed_code(manifest: dict[str, Any], experiment: Experiment) -> list[str]:
    """Return the code of users that a run had in another form."""
    before = {(part["key"], part["code"]): part["sha256"] for part in manifest.get("code", [])}
    parts = [((key, part.name), part.digest) for key, part in custom_parts(experiment)]
    return [name for (key, name), digest in parts if before.get((key, name), digest) != digest]


def _can_continue(run: RunDirectory, experiment: Experiment, identity: Identity) -> bool:
    """Whether a run is unfinished, or has finished with as many epochs or fewer, or within a smaller limit of time.

    One that has trained more epochs than are asked for is not continued: it is none of so few.
    """
    manifest = run.read_manifest()
    if is_finished(run, identity):
        return True
    if _trained_epochs(run) > experiment.training.epochs:
        return False
    if manifest.get("status") != "finished":
        return True
    if (limit := manifest.get("time_limit")) is not None:
        return (experiment.training.max_minutes or math.inf) > limit["minutes"]
    return load_experiment(run.experiment).training.epochs < experiment.training.epochs
