"""By what the runs of a study and the trials of a search are carried out: this process, several of them, or a Ray cluster."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Protocol

from kerasexp.config.execution import ExecutionKeys
from kerasexp.console import Console
from kerasexp.environment import cores
from kerasexp.executors.processes import InProcesses
from kerasexp.executors.tasks import Ending, InThisProcess, Task


class Executor(Protocol):
    """Carries out tasks; used in a `with` block, at whose end what still runs is asked to save and stop."""

    @property
    def room(self) -> int:
        """How many more tasks can begin now."""

    def start(self, task: Task) -> None:
        """Begin a task, for which there is room."""

    def ended(self) -> Ending:
        """Wait until one of those that have begun ends, and return how; raises Interrupted where the process is asked to."""


def executor_of(execution: ExecutionKeys, jobs: int, most: int, console: Console) -> AbstractContextManager[Executor]:
    """Return what carries out tasks.

    Args:
        execution: by what; Ray decides itself how many it carries out at once.
        jobs: how many at once in processes of this machine; there are no more than cores, for which they would only wait,
            each with the seconds and the memory that a process takes to start.
        most: how many tasks there are at most.
        console: where it is said that they are fewer than was asked for.

    Raises:
        UserError: Ray is not installed, or there is no such cluster.
    """
    if execution.executor == "ray":
        from kerasexp.executors.ray_cluster import OnRay

        return OnRay(execution.ray)
    at_once = min(jobs, most)
    if at_once > cores():
        console.line(f"{cores()} of {jobs} jobs at once, one for each core")
        at_once = cores()
    return InProcesses(at_once) if at_once > 1 else InThisProcess()


def execute(tasks: list[Task], executor: Executor) -> Iterator[Ending]:
    """Carry out all tasks, and yield how each ended, as they end."""
    waiting, running = deque(tasks), 0
    while waiting or running:
        while waiting and executor.room:
            executor.start(waiting.popleft())
            running += 1
        yield executor.ended()
        running -= 1
