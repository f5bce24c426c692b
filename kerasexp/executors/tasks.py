"""One run of a study or trial of a search as a task: carried out here, with its words in a file of its own."""

from __future__ import annotations

import traceback
from dataclasses import dataclass, field
from pathlib import Path

from kerasexp.config import Experiment
from kerasexp.console import Console
from kerasexp.data.prepared_data import DataCache
from kerasexp.errors import Interrupted, KerasexpError


@dataclass(frozen=True)
class Task:
    """One run to be made, or to be gone on with, in `folder`; what it says goes to `log`.

    Attributes:
        name: of the variant, or of the trial.
        seed: the experiment's.
        experiment: what is run.
        folder: the run's directory.
        log: the file beside it.
        earlier: runs of which one that is the same is copied.
        trial: whether it is judged on `val` alone, without a report, and goes on from where `parent` ended.
        parent: the directory of a trial of fewer epochs.
    """

    name: str
    seed: int
    experiment: Experiment
    folder: Path
    log: Path
    earlier: list[Path] = field(default_factory=list)
    trial: bool = False
    parent: Path | None = None


@dataclass(frozen=True)
class Ending:
    """How a task ended: `finished`, or `failed` for a cause."""

    task: Task
    status: str
    cause: str | None = None


def attempt(task: Task, cache: DataCache) -> Ending:
    """Carry out a task here; what goes wrong with it is told, not raised, but for Interrupted."""
    from kerasexp.backend import import_tensorflow

    import_tensorflow()
    import keras

    from kerasexp.runs.request import RunRequest
    from kerasexp.runs.run import run_experiment

    with task.log.open("a", encoding="utf-8", errors="backslashreplace") as log:
        try:
            request = RunRequest(
                task.experiment,
                task.folder,
                resume=True,
                earlier=task.earlier,
                is_trial=task.trial,
                parent=task.parent,
            )
            run_experiment(request, Console(log), cache)
            return Ending(task, "finished")
        except Interrupted:
            raise
        except KerasexpError as error:
            print(f"error: {error}", file=log)
            return Ending(task, "failed", str(error))
        except Exception as error:  # a bug of ours or of a library: the other runs need not suffer for it
            traceback.print_exc(file=log)
            return Ending(task, "failed", f"{type(error).__name__}: {error}; {task.log} has more")
        finally:
            # The graphs of a run that is over would stay in memory until the process ends.
            keras.backend.clear_session()


class InThisProcess:
    """Carries out one task at a time here, on all cores."""

    def __init__(self):
        self._task: Task | None = None
        # Files may change before this process is asked for the same data in another study.
        self._cache = DataCache()

    def __enter__(self) -> InThisProcess:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    @property
    def room(self) -> int:
        return 0 if self._task else 1

    def start(self, task: Task) -> None:
        self._task = task

    def ended(self) -> Ending:
        task, self._task = self._task, None
        return attempt(task, self._cache)
