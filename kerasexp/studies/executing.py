"""Runs one after the other in this process, or several at once in processes that share the cores."""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import threading
import traceback
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path

from kerasexp.config import Experiment
from kerasexp.console import Console
from kerasexp.errors import Interrupted, KerasexpError

# A worker that was asked to stop ends its step and saves; after so many seconds it is ended as it is.
PATIENCE = 60


@dataclass(frozen=True)
class Task:
    """One run to be made, or to be gone on with, in `folder`; what it says goes to `log`.

    Where one of the runs in `earlier` is the same, it is copied.
    """

    variant: str
    seed: int
    experiment: Experiment
    folder: Path
    log: Path
    earlier: list[Path]


@dataclass(frozen=True)
class Ending:
    """How a task ended: `finished`, or `failed` for a cause."""

    task: Task
    status: str
    cause: str | None = None


def execute(tasks: list[Task], jobs: int) -> Iterator[Ending]:
    """Carry out the tasks, and yield how each ended, as they end.

    With one job they run in this process, on all its cores. With more, each process has its share of the cores and nothing
    else to wait for: two runs of one thread each do more than one of two, which small networks cannot keep busy.

    Raises:
        Interrupted: this process was asked to stop; what was running has saved its state.
    """
    if jobs > 1:
        yield from _in_processes(tasks, jobs)
    else:
        yield from (_attempt(task) for task in tasks)


def _attempt(task: Task) -> Ending:
    """Carry out a task here; what goes wrong with it is told, not raised, but for Interrupted."""
    from kerasexp.backend import import_tensorflow

    import_tensorflow()
    import keras

    from kerasexp.workflow import run_experiment

    with task.log.open("a", encoding="utf-8", errors="backslashreplace") as log:
        try:
            run_experiment(task.experiment, task.folder, Console(log), True, task.earlier)
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
            gc.collect()


@dataclass(eq=False)
class _Worker:
    """A process that carries out tasks, and this side of the pipe to it."""

    cores: list[int]
    task: Task | None = None
    process: BaseProcess = field(init=False)
    pipe: Connection = field(init=False)

    def __post_init__(self):
        context = multiprocessing.get_context("spawn")  # TensorFlow does not survive a fork
        self.pipe, other = context.Pipe()
        self.process = context.Process(target=_work, args=(other, self.cores))
        # Libraries read the number of their threads when they are loaded.
        threads = {name: str(len(self.cores)) for name in ("TF_NUM_INTRAOP_THREADS", "OMP_NUM_THREADS")}
        before = dict(os.environ)
        os.environ.update(threads)
        try:
            self.process.start()
        finally:
            os.environ.clear()
            os.environ.update(before)
        other.close()

    def give(self, task: Task) -> None:
        self.task = task
        self.pipe.send(task)

    def ending(self) -> Ending:
        """Return how its task ended, which it has just told, or has died of."""
        task, self.task = self.task, None
        try:
            return self.pipe.recv()
        except (EOFError, OSError):
            self.process.join()
            code = self.process.exitcode
            how = f"by signal {-code}" if code < 0 else f"with exit code {code}"
            return Ending(
                task, "failed", f"its process ended {how}, as when the memory is used up; {task.log} has more"
            )

    def dismiss(self) -> None:
        """Let it go: at once where it has nothing to do, else after its step."""
        with suppress(OSError):
            if self.task is None:
                self.pipe.send(None)
            else:
                self.process.terminate()


def _in_processes(tasks: list[Task], jobs: int) -> Iterator[Ending]:
    waiting, shares = deque(tasks), _shares(min(jobs, len(tasks)))
    workers = [_Worker(share) for share in shares]
    try:
        while waiting or any(worker.task for worker in workers):
            for worker in workers:
                if worker.task is None and waiting:
                    worker.give(waiting.popleft())
            busy = {worker.pipe: worker for worker in workers if worker.task}
            for pipe in wait(list(busy)):
                worker = busy[pipe]
                yield worker.ending()
                if not worker.process.is_alive():
                    workers[workers.index(worker)] = _Worker(worker.cores)
    finally:
        for worker in workers:
            worker.dismiss()
        for worker in workers:
            worker.process.join(PATIENCE)
            worker.process.kill()


def _shares(jobs: int) -> list[list[int]]:
    """Return the cores of each job: its own while there are enough of them."""
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else list(range(os.cpu_count() or 1))
    return [cores[number % len(cores) :: jobs] for number in range(jobs)]


def _work(pipe: Connection, cores: list[int]) -> None:
    """Carry out what comes through the pipe, until nothing more does or the process is asked to stop."""
    with suppress(OSError, AttributeError):
        os.setpgid(0, 0)  # Ctrl-C goes to the process that has the terminal, which asks this one to stop
    with suppress(OSError, AttributeError):
        os.sched_setaffinity(0, cores)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with suppress(EOFError, OSError, Interrupted):
        while (task := pipe.recv()) is not None:
            pipe.send(_attempt(task))


def _end_with_parent() -> None:
    """Ask this process to stop when the one that started it has died: nobody would read what it does."""
    multiprocessing.parent_process().join()
    os.kill(os.getpid(), signal.SIGTERM)
