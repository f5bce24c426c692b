"""Tasks on a Ray cluster, which schedules them and starts them again when a node is lost."""

from __future__ import annotations

import os
import platform
import socket
from dataclasses import replace
from pathlib import Path
from typing import Any

from kerasexp.config import Experiment
from kerasexp.config.data_section import Data
from kerasexp.config.execution_section import Ray
from kerasexp.environment import install_command
from kerasexp.errors import Interrupted, KerasexpError, Problem, UserError
from kerasexp.executors.tasks import Failure, FailureKind, Task, TaskResult, run_task

# A task whose node or process is lost is started again this many times; it resumes from its last saved state.
MAX_RETRIES = 3
# Seconds. A worker that is asked to stop finishes its step and saves.
STOP_SECONDS = 60
# Seconds between checks for signals, and until a cluster counts as unreachable.
POLL_SECONDS, CONNECT_SECONDS = 0.5, 10


class RayCluster:
    """Runs as many tasks at once as fit on the cluster.

    The data are prepared once, in this process; Ray copies them once to each node. The run directories must be on a disk
    that all nodes share, and so must the images with `data.cache: none`.

    Args:
        settings: which cluster, and the resources of each task.

    Raises:
        UserError: Ray is not installed.
    """

    def __init__(self, settings: Ray):
        try:
            import ray
        except ImportError:
            message = f"got 'ray', which is not installed: {install_command('ray')}"
            raise UserError(Problem(message, key="executor")) from None
        self._ray, self._settings = ray, settings
        self._running: dict[Any, Task] = {}
        self._data: dict[str, Any] = {}

    def __enter__(self) -> RayCluster:
        try:
            _check_reachable(self._settings.address)
            self._ray.init(
                address=None if self._settings.address == "local" else self._settings.address,
                log_to_driver=False,
                logging_level="ERROR",
                include_dashboard=False if self._settings.address == "local" else None,
            )
        except (OSError, RuntimeError, ValueError) as error:
            message = (
                f"got '{self._settings.address}', and there is no such cluster ({str(error).splitlines()[0]}); start one with "
                "`ray start --head`, or write local for one on this machine only"
            )
            raise UserError(Problem(message, key="ray.address")) from None
        resources = self._ray.cluster_resources()
        for key, name in (("cpus", "CPU"), ("gpus", "GPU")):
            wanted, most = getattr(self._settings, key), self._largest(name)
            if wanted > most:
                self._ray.shutdown()
                message = f"got {wanted:g}, and no node of the cluster has more than {most:g} ({resources.get(name, 0):g} in total)"
                raise UserError(Problem(message, key=f"ray.{key}"))
        threads = str(max(int(self._settings.cpus), 1))
        variables = {
            "TF_NUM_INTRAOP_THREADS": threads,
            "OMP_NUM_THREADS": threads,
            # Several tasks may share a GPU.
            "TF_FORCE_GPU_ALLOW_GROWTH": "true",
            "TF_CPP_MIN_LOG_LEVEL": "3",
        }
        self._remote = self._ray.remote(_run_on_node).options(
            num_cpus=self._settings.cpus,
            num_gpus=self._settings.gpus,
            max_retries=MAX_RETRIES,
            runtime_env={"env_vars": variables},
        )
        return self

    def __exit__(self, *error: object) -> None:
        for reference in self._running:
            self._ray.cancel(reference)
        if self._running:
            self._ray.wait(list(self._running), num_returns=len(self._running), timeout=STOP_SECONDS)
        self._ray.shutdown()

    @property
    def free_slots(self) -> int:
        resources = self._ray.cluster_resources()
        slots = int(resources.get("CPU", 0) / self._settings.cpus)
        if self._settings.gpus:
            slots = min(slots, int(resources.get("GPU", 0) / self._settings.gpus))
        return max(max(slots, 1) - len(self._running), 0)

    def start(self, task: Task) -> None:
        given = {key: self._put(key, data) for key, data in _data_of(task.experiment).items()}
        absolute = replace(
            task,
            folder=task.folder.absolute(),
            log=task.log.absolute(),
            earlier=[path.absolute() for path in task.earlier],
            parent=None if task.parent is None else task.parent.absolute(),
        )
        reference = self._remote.remote(absolute, str(Path.cwd()), list(given), *given.values())
        self._running[reference] = task

    def wait_for_one(self) -> TaskResult:
        done: list[Any] = []
        while not done:
            done, _ = self._ray.wait(list(self._running), timeout=POLL_SECONDS)
        task = self._running.pop(done[0])
        try:
            return TaskResult(task, self._ray.get(done[0]))
        except self._ray.exceptions.RayError as error:
            lines = str(error).strip().splitlines() or [type(error).__name__]
            return TaskResult(task, Failure(FailureKind.OTHER, f"{lines[-1].strip()}; see {task.log}"))

    def _put(self, key: str, data: Data) -> Any:
        from kerasexp.data.prepared_data import prepare

        if key not in self._data:
            try:
                # Images that are decoded in every epoch are not sent; each node reads the files.
                self._data[key] = self._ray.put(None if data.cache == "none" else prepare(data))
            except KerasexpError:
                # The task itself fails with this error.
                self._data[key] = self._ray.put(None)
        return self._data[key]

    def _largest(self, resource: str) -> float:
        return max((node["Resources"].get(resource, 0) for node in self._ray.nodes() if node["Alive"]), default=0)


def _check_reachable(address: str) -> None:
    """Raise OSError if nothing answers at HOST:PORT; Ray itself would try for minutes."""
    host, colon, port = address.rpartition(":")
    if colon and port.isdecimal() and "/" not in host:
        socket.create_connection((host, int(port)), timeout=CONNECT_SECONDS).close()


def _data_of(experiment: Experiment) -> dict[str, Data]:
    """Return the data sections of an experiment and of its upstream experiments, by their key in the cache."""
    from kerasexp.data.prepared_data import data_key

    found = {data_key(experiment.data): experiment.data}
    return found if experiment.init is None else {**_data_of(experiment.init.experiment), **found}


def _run_on_node(task: Task, folder: str, keys: list[str], *prepared: Any) -> Failure | None:
    """Run a task on a node, with prepared data; return its failure, or None."""
    from kerasexp.data.prepared_data import DataCache

    try:
        os.chdir(folder)
        is_shared = task.folder.parent.is_dir()
    except OSError:
        is_shared = False
    if not is_shared:
        cause = f"{platform.node()} cannot access {folder}; the run directories must be on a disk that all nodes share"
        return Failure(FailureKind.OTHER, cause)
    cache = DataCache({key: data for key, data in zip(keys, prepared, strict=True) if data is not None})
    try:
        return run_task(task, cache).failure
    except Interrupted:
        return Failure(FailureKind.OTHER, "it was asked to stop")
