"""Executors run the tasks of a study or a search: in this process, in several processes, or on a Ray cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from operator import itemgetter
from typing import Protocol

from kerasexp.config.execution_section import ExecutionKeys
from kerasexp.console import Console
from kerasexp.environment import cores
from kerasexp.executors.process_pool import ProcessPool
from kerasexp.executors.tasks import Task, TaskResult, ThisProcess


class Executor(Protocol):
    """Runs tasks within a `with` block; at its end, running tasks are asked to save and stop."""

    @property
    def free_slots(self) -> int:
        """How many more tasks can start now."""

    def start(self, task: Task) -> None:
        """Start a task; there must be a free slot."""

    def wait_for_one(self) -> TaskResult:
        """Wait until one of the started tasks ends. Raises Interrupted if this process is asked to stop."""


def make_executor(
    execution: ExecutionKeys, jobs: int, task_count: int, console: Console
) -> AbstractContextManager[Executor]:
    """Return the executor that was asked for.

    Args:
        execution: which one. Ray decides itself how many tasks run at once.
        jobs: how many tasks run at once in processes of this machine: at most one per core, because more would only wait,
            and each process takes seconds to start and needs memory.
        task_count: how many tasks there are at most.
        console: where a lower number of jobs is announced.

    Raises:
        UserError: Ray is not installed, or there is no such cluster.
    """
    if execution.executor == "ray":
        from kerasexp.executors.ray_cluster import RayCluster

        return RayCluster(execution.ray)
    at_once = min(jobs, task_count)
    if at_once > cores():
        console.line(f"running {cores()} jobs at once instead of {jobs}: one per core")
        at_once = cores()
    return ProcessPool(at_once) if at_once > 1 else ThisProcess()


def run_all(
    tasks: list[Task],
    executor: Executor,
    begin: Callable[[Task], None],
    choose: Callable[[list[Task]], Task] = itemgetter(0),
) -> Iterator[TaskResult]:
    """Run all tasks, and yield the result of each when it ends.

    Args:
        tasks: in the order in which they start, unless `choose` has another.
        executor: runs them.
        begin: called with each task that is about to start.
        choose: returns which one of those that wait, in their order, starts next.
    """
    waiting, running = list(tasks), 0
    while waiting or running:
        while waiting and executor.free_slots:
            task = choose(waiting)
            waiting.remove(task)
            begin(task)
            executor.start(task)
            running += 1
        yield executor.wait_for_one()
        running -= 1
