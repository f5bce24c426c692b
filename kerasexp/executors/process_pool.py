"""Several tasks at once, in processes that share the cores."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from types import ModuleType

from kerasexp.environment import available_cores
from kerasexp.errors import Interrupted
from kerasexp.executors.tasks import Failure, FailureKind, Task, TaskResult, run_task

# A worker that is asked to stop finishes its step and saves; after this many seconds it is killed.
STOP_SECONDS = 60


@dataclass(eq=False)
class _Worker:
    """A process that runs tasks, and our end of the pipe to it."""

    cores: list[int]
    task: Task | None = None
    process: BaseProcess = field(init=False)
    pipe: Connection = field(init=False)

    def __post_init__(self):
        context = multiprocessing.get_context("spawn")  # TensorFlow does not survive a fork
        self.pipe, other = context.Pipe()
        self.process = context.Process(target=_serve, args=(other, self.cores))
        # Libraries read their number of threads when they are loaded.
        threads = {name: str(len(self.cores)) for name in ("TF_NUM_INTRAOP_THREADS", "OMP_NUM_THREADS")}
        before, main = dict(os.environ), sys.modules["__main__"]
        os.environ.update(threads)
        # The process would begin with the script that started this one, and so start it again. Tasks need nothing from it.
        sys.modules["__main__"] = ModuleType("__main__")
        try:
            self.process.start()
        finally:
            sys.modules["__main__"] = main
            os.environ.clear()
            os.environ.update(before)
        other.close()

    def start(self, task: Task) -> None:
        self.task = task
        self.pipe.send(task)

    def result(self) -> TaskResult:
        """Return the result of its task, which is in the pipe unless the process died."""
        task, self.task = self.task, None
        try:
            return self.pipe.recv()
        except (EOFError, OSError):
            self.process.join()
            code = self.process.exitcode
            how = f"by signal {-code}" if code < 0 else f"with exit code {code}"
            cause = f"its process ended {how}, possibly out of memory; see {task.log}"
            return TaskResult(task, Failure(FailureKind.OTHER, cause))

    def stop(self) -> None:
        """Ask it to end: now if it is idle, else after the current step."""
        with suppress(OSError):
            if self.task is None:
                self.pipe.send(None)
            else:
                self.process.terminate()


class ProcessPool:
    """Runs `jobs` tasks at once, each in a process with its share of the cores.

    Nothing but tasks needs the cores: two runs of one thread each do more than one run of two threads, which small networks
    cannot keep busy.
    """

    def __init__(self, jobs: int):
        self._unused_cores, self._workers = _shares(jobs), []

    def __enter__(self) -> ProcessPool:
        return self

    def __exit__(self, *error: object) -> None:
        for worker in self._workers:
            worker.stop()
        for worker in self._workers:
            worker.process.join(STOP_SECONDS)
            worker.process.kill()

    @property
    def free_slots(self) -> int:
        return len(self._unused_cores) + sum(worker.task is None for worker in self._workers)

    def start(self, task: Task) -> None:
        for worker in [worker for worker in self._workers if worker.task is None]:
            self._remove_if_dead(worker)
        idle = next((worker for worker in self._workers if worker.task is None), None)
        if idle is None:
            idle = _Worker(self._unused_cores.pop(0))
            self._workers.append(idle)
        idle.start(task)

    def wait_for_one(self) -> TaskResult:
        busy = {worker.pipe: worker for worker in self._workers if worker.task}
        worker = busy[wait(list(busy))[0]]
        result = worker.result()
        self._remove_if_dead(worker)
        return result

    def _remove_if_dead(self, worker: _Worker) -> None:
        if not worker.process.is_alive():
            self._workers.remove(worker)
            self._unused_cores.append(worker.cores)


def _shares(jobs: int) -> list[list[int]]:
    """Return the cores of each job."""
    return [available_cores()[number::jobs] for number in range(jobs)]


def _serve(pipe: Connection, cores: list[int]) -> None:
    """Run the tasks that come through the pipe, until None comes, the pipe closes, or the process is asked to stop."""
    with suppress(OSError, AttributeError):
        os.setpgid(0, 0)  # Ctrl-C reaches only the process of the terminal, which asks this one to stop
    with suppress(OSError, AttributeError):
        os.sched_setaffinity(0, cores)
    from kerasexp.data.prepared_data import DataCache

    cache = DataCache()
    threading.Thread(target=_stop_with_parent, daemon=True).start()
    with suppress(EOFError, OSError, Interrupted):
        while (task := pipe.recv()) is not None:
            pipe.send(run_task(task, cache))


def _stop_with_parent() -> None:
    """Ask this process to stop when its parent has died: nobody would read its results."""
    multiprocessing.parent_process().join()
    os.kill(os.getpid(), signal.SIGTERM)
