"""Tasks: one run of a study, or one trial of a search. What a task prints goes to its own log file."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from kerasexp.config import Experiment
from kerasexp.console import Console
from kerasexp.custom.trust import grant, trusted_digests
from kerasexp.errors import DirectoryInUse, Interrupted, KerasexpError, NonFiniteLoss
from kerasexp.runs.provenance import Provenance, provenance, remember_provenance

if TYPE_CHECKING:
    from kerasexp.data.prepared_data import DataCache

# How long to wait for a process whose command was killed or whose node was lost. It finishes its step and saves.
ORPHAN_SECONDS = 30


@dataclass(frozen=True)
class Task:
    """One run to make or to resume in `folder`.

    Attributes:
        name: of the variant or the trial.
        seed: of the experiment.
        experiment: what to run.
        folder: the run directory.
        log: the file beside it that takes the output.
        earlier: directories of earlier runs; one that is this very run is copied.
        trial: whether this is a trial of a search: evaluated on `val` only, without a report, continuing `parent`.
        parent: the directory of a trial of fewer epochs.
        trusted: digests of the code of users that may run, as known where the task was made.
        provenance: of the command that made the task.
    """

    name: str
    seed: int
    experiment: Experiment
    folder: Path
    log: Path
    earlier: list[Path] = field(default_factory=list)
    trial: bool = False
    parent: Path | None = None
    trusted: frozenset[str] = field(default_factory=trusted_digests)
    provenance: Provenance = field(default_factory=provenance, repr=False)


class FailureKind(StrEnum):
    """The kinds of failures. The files of a search hold them."""

    DIRECTORY_IN_USE = "directory in use"
    NON_FINITE_LOSS = "not finite"
    OTHER = "failed"


@dataclass(frozen=True)
class Failure:
    """Why a task failed: the kind, and the message for the user."""

    kind: FailureKind
    cause: str


@dataclass(frozen=True)
class TaskResult:
    """A task that has ended, and its failure if it failed. Can be sent between processes."""

    task: Task
    failure: Failure | None = None


def run_task(task: Task, cache: DataCache) -> TaskResult:
    """Run a task in this process. A directory that an earlier process still holds is waited for.

    Its errors are returned, except for Interrupted, which is raised.
    """
    from kerasexp.backend import import_tensorflow

    grant(task.trusted)
    remember_provenance(task.provenance)
    import_tensorflow()
    import keras

    from kerasexp.runs.run import run_experiment
    from kerasexp.runs.run_request import RunRequest

    request = RunRequest(
        task.experiment, task.folder, True, task.earlier, is_trial=task.trial, parent=task.parent, is_part=True
    )
    try:
        with task.log.open("a", encoding="utf-8", errors="backslashreplace") as log:
            failure = _failure(lambda: run_experiment(request, Console(log), cache), log)
    except OSError as error:
        failure = Failure(FailureKind.OTHER, f"{task.log}: {error.strerror or error}")
    finally:
        # Keras keeps the graphs of finished runs in memory until this.
        keras.backend.clear_session()
    return TaskResult(task, failure)


def _failure(run: Callable[[], object], log: TextIO) -> Failure | None:
    """Run; return the failure, which is also written to the log, or None. Raises Interrupted."""
    try:
        _when_free(run)
    except Interrupted:
        raise
    except KerasexpError as error:
        print(f"error: {error}", file=log)
        return Failure(_kind_of(error), str(error))
    except Exception as error:  # a bug in kerasexp or in a library must not end the other runs
        traceback.print_exc(file=log)
        return Failure(FailureKind.OTHER, f"{type(error).__name__}: {error}; the traceback is in {log.name}")
    return None


def _when_free(run: Callable[[], object]) -> None:
    """Run, and try again for some seconds where another process still has the directory."""
    deadline = time.monotonic() + ORPHAN_SECONDS
    while True:
        try:
            run()
            return
        except DirectoryInUse:
            if time.monotonic() > deadline:
                raise
        time.sleep(1)


def _kind_of(error: KerasexpError) -> FailureKind:
    if isinstance(error, DirectoryInUse):
        return FailureKind.DIRECTORY_IN_USE
    return FailureKind.NON_FINITE_LOSS if isinstance(error, NonFiniteLoss) else FailureKind.OTHER


class ThisProcess:
    """Runs one task at a time in this process, on all cores."""

    def __init__(self):
        self._task: Task | None = None
        # Files may change before this process loads the same data for another study.
        from kerasexp.data.prepared_data import DataCache

        self._cache = DataCache()

    def __enter__(self) -> ThisProcess:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    @property
    def free_slots(self) -> int:
        return 0 if self._task else 1

    def start(self, task: Task) -> None:
        self._task = task

    def wait_for_one(self) -> TaskResult:
        task, self._task = self._task, None
        return run_task(task, self._cache)
