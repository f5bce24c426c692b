"""Tasks on a Ray cluster, which schedules them, and begins them again where a node is lost."""

from __future__ import annotations

import os
import socket
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from kerasexp.config import Experiment
from kerasexp.config.data import Data
from kerasexp.config.execution import Ray
from kerasexp.errors import Interrupted, KerasexpError, Problem, UserError
from kerasexp.executors.tasks import Ending, Task, attempt

# So often a task is begun again whose node or process is lost; it goes on from its last state.
RETRIES = 3
# Seconds. A worker that was asked to stop ends its step and saves; a process of a lost node may live on for a moment.
PATIENCE, LINGERING = 60, 30
# How long a signal waits until it is seen, and how long a cluster may take to answer.
LOOK, ANSWER = 0.5, 10


class OnRay:
    """Carries out as many tasks at once as the cluster has room for.

    The data are prepared here, once, and Ray brings them to each node, once. The run directories lie on a disk that all
    nodes share.

    Args:
        asked: which cluster, and what each task has of it.

    Raises:
        UserError: Ray is not installed.
    """

    def __init__(self, asked: Ray):
        try:
            import ray
        except ImportError:
            message = "is ray, which is not installed: pip install '.[ray]'"
            raise UserError(Problem(message, key="executor")) from None
        self._ray, self._asked = ray, asked
        self._running: dict[Any, Task] = {}
        self._data: dict[str, Any] = {}

    def __enter__(self) -> OnRay:
        try:
            _look_for(self._asked.address)
            self._ray.init(
                address=None if self._asked.address == "local" else self._asked.address,
                log_to_driver=False,
                logging_level="ERROR",
                include_dashboard=False if self._asked.address == "local" else None,
            )
        except (OSError, RuntimeError, ValueError) as error:
            message = (
                f"got '{self._asked.address}', and there is no such cluster ({str(error).splitlines()[0]}); begin one with "
                "`ray start --head`, or write local for one on this machine alone"
            )
            raise UserError(Problem(message, key="ray.address")) from None
        resources = self._ray.cluster_resources()
        for key, name in (("cpus", "CPU"), ("gpus", "GPU")):
            wanted, most = getattr(self._asked, key), self._largest(name)
            if wanted > most:
                self._ray.shutdown()
                message = f"got {wanted:g}, and no node of the cluster has more than {most:g} ({resources.get(name, 0):g} in all)"
                raise UserError(Problem(message, key=f"ray.{key}"))
        threads = str(max(int(self._asked.cpus), 1))
        variables = {
            "TF_NUM_INTRAOP_THREADS": threads,
            "OMP_NUM_THREADS": threads,
            # Several tasks may share a GPU.
            "TF_FORCE_GPU_ALLOW_GROWTH": "true",
            "TF_CPP_MIN_LOG_LEVEL": "3",
        }
        self._remote = self._ray.remote(_attempt_there).options(
            num_cpus=self._asked.cpus,
            num_gpus=self._asked.gpus,
            max_retries=RETRIES,
            runtime_env={"env_vars": variables},
        )
        return self

    def __exit__(self, *error: object) -> None:
        for reference in self._running:
            self._ray.cancel(reference)
        if self._running:
            self._ray.wait(list(self._running), num_returns=len(self._running), timeout=PATIENCE)
        self._ray.shutdown()

    @property
    def room(self) -> int:
        resources = self._ray.cluster_resources()
        slots = int(resources.get("CPU", 0) / self._asked.cpus)
        if self._asked.gpus:
            slots = min(slots, int(resources.get("GPU", 0) / self._asked.gpus))
        return max(max(slots, 1) - len(self._running), 0)

    def start(self, task: Task) -> None:
        given = {key: self._put(key, data) for key, data in data_of(task.experiment).items()}
        there = replace(
            task,
            folder=task.folder.absolute(),
            log=task.log.absolute(),
            earlier=[path.absolute() for path in task.earlier],
            parent=None if task.parent is None else task.parent.absolute(),
        )
        reference = self._remote.remote(there, str(Path.cwd()), list(given), *given.values())
        self._running[reference] = task

    def ended(self) -> Ending:
        done: list[Any] = []
        while not done:
            done, _ = self._ray.wait(list(self._running), timeout=LOOK)
        task = self._running.pop(done[0])
        try:
            status, cause = self._ray.get(done[0])
        except self._ray.exceptions.RayError as error:
            lines = str(error).strip().splitlines() or [type(error).__name__]
            return Ending(task, "failed", f"{lines[-1].strip()}; {task.log} may have more")
        return Ending(task, status, cause)

    def _put(self, key: str, data: Data) -> Any:
        from kerasexp.data.prepared_data import prepare

        if key not in self._data:
            try:
                self._data[key] = self._ray.put(prepare(data))
            except KerasexpError:
                # The task will say so, in its own words.
                self._data[key] = self._ray.put(None)
        return self._data[key]

    def _largest(self, resource: str) -> float:
        return max((node["Resources"].get(resource, 0) for node in self._ray.nodes() if node["Alive"]), default=0)


def _look_for(address: str) -> None:
    """Raise OSError where nobody answers at HOST:PORT; Ray itself would try for minutes."""
    host, colon, port = address.rpartition(":")
    if colon and port.isdigit() and "/" not in host:
        socket.create_connection((host, int(port)), timeout=ANSWER).close()


def data_of(experiment: Experiment) -> dict[str, Data]:
    """Return the data of an experiment and of all that it starts from, by what they are known by."""
    from kerasexp.data.prepared_data import data_key

    found = {data_key(experiment.data): experiment.data}
    return found if experiment.init is None else {**data_of(experiment.init.experiment), **found}


def _attempt_there(task: Task, folder: str, keys: list[str], *prepared: Any) -> tuple[str, str | None]:
    """Carry out a task on a node, with prepared data; return how it ended."""
    from kerasexp.data.prepared_data import DataCache

    try:
        os.chdir(folder)
        there = task.folder.parent.is_dir()
    except OSError:
        there = False
    if not there:
        return "failed", f"{os.uname().nodename} does not see {folder}: the runs lie on a disk that all nodes share"
    cache = DataCache({key: data for key, data in zip(keys, prepared, strict=True) if data is not None})
    until = time.monotonic() + LINGERING
    while True:
        try:
            ending = attempt(task, cache)
        except Interrupted:
            return "failed", "it was asked to stop"
        # Where a node was lost, the process that held the directory may not have ended yet.
        if ending.cause is None or "another process is at work" not in ending.cause or time.monotonic() > until:
            return ending.status, ending.cause
        time.sleep(1)
