"""Several tasks at once, in processes that share the cores."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

from kerasexp.data.prepared_data import DataCache
from kerasexp.errors import Interrupted
from kerasexp.executors.tasks import Ending, Task, attempt

# A worker that was asked to stop ends its step and saves; after so many seconds it is ended as it is.
PATIENCE = 60


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


class InProcesses:
    """Carries out as many tasks at once as there are jobs, each in a process with its share of the cores.

    There is nothing else that a process waits for: two runs of one thread each do more than one of two, which small
    networks cannot keep busy.
    """

    def __init__(self, jobs: int):
        self._shares, self._workers = _shares(jobs), []

    def __enter__(self) -> InProcesses:
        return self

    def __exit__(self, *error: object) -> None:
        for worker in self._workers:
            worker.dismiss()
        for worker in self._workers:
            worker.process.join(PATIENCE)
            worker.process.kill()

    @property
    def room(self) -> int:
        return len(self._shares) + sum(worker.task is None for worker in self._workers)

    def start(self, task: Task) -> None:
        idle = next((worker for worker in self._workers if worker.task is None), None)
        if idle is None:
            idle = _Worker(self._shares.pop(0))
            self._workers.append(idle)
        idle.give(task)

    def ended(self) -> Ending:
        busy = {worker.pipe: worker for worker in self._workers if worker.task}
        worker = busy[wait(list(busy))[0]]
        ending = worker.ending()
        if not worker.process.is_alive():
            self._workers.remove(worker)
            self._shares.append(worker.cores)
        return ending


def _shares(jobs: int) -> list[list[int]]:
    """Return the cores of each job; there is one for each at least."""
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else list(range(os.cpu_count() or 1))
    return [cores[number::jobs] for number in range(jobs)]


def _work(pipe: Connection, cores: list[int]) -> None:
    """Carry out what comes through the pipe, until nothing more does or the process is asked to stop."""
    with suppress(OSError, AttributeError):
        os.setpgid(0, 0)  # Ctrl-C goes to the process that has the terminal, which asks this one to stop
    with suppress(OSError, AttributeError):
        os.sched_setaffinity(0, cores)
    cache = DataCache()
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with suppress(EOFError, OSError, Interrupted):
        while (task := pipe.recv()) is not None:
            pipe.send(attempt(task, cache))


def _end_with_parent() -> None:
    """Ask this process to stop when the one that started it has died: nobody would read what it does."""
    multiprocessing.parent_process().join()
    os.kill(os.getpid(), signal.SIGTERM)
