"""How many tasks run at once, and how failures are returned."""

import pickle
import subprocess
import sys

import pytest

from kerasexp import executors
from kerasexp.config import load_experiment
from kerasexp.config.execution_section import ExecutionKeys
from kerasexp.console import Console
from kerasexp.data.prepared_data import DataCache
from kerasexp.errors import DirectoryInUse, NonFiniteLoss, RunError
from kerasexp.executors import make_executor, run_all, tasks
from kerasexp.executors.process_pool import ProcessPool
from kerasexp.executors.tasks import Failure, FailureKind, Task, ThisProcess, run_task


@pytest.mark.parametrize(
    ("jobs", "task_count", "cores", "at_once"),
    [(1, 9, 4, 1), (3, 9, 4, 3), (16, 9, 4, 4), (16, 2, 4, 2), (16, 9, 1, 1)],
)
def test_there_are_no_more_jobs_than_tasks_and_cores(monkeypatch, capsys, jobs, task_count, cores, at_once):
    monkeypatch.setattr(executors, "cores", lambda: cores)
    made = make_executor(ExecutionKeys(), jobs, task_count, Console())
    assert isinstance(made, ThisProcess if at_once == 1 else ProcessPool)
    assert made.free_slots == at_once
    printed = "".join(capsys.readouterr())
    assert (f"running {cores} jobs at once instead of {jobs}" in printed) == (min(jobs, task_count) > cores)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (DirectoryInUse("taken"), FailureKind.DIRECTORY_IN_USE),
        (NonFiniteLoss("NaN"), FailureKind.NON_FINITE_LOSS),
        (RunError("the loss is not finite, and another process is at work"), FailureKind.OTHER),
        (ValueError("a bug"), FailureKind.OTHER),
    ],
)
def test_the_kind_of_a_failure_is_that_of_its_error(monkeypatch, tmp_path, tiny_yaml, error, kind):
    def fail(*_):
        raise error

    monkeypatch.setattr("kerasexp.runs.run.run_experiment", fail)
    monkeypatch.setattr(tasks, "ORPHAN_SECONDS", -1)
    task = Task("a", 0, load_experiment(tiny_yaml), tmp_path / "run", tmp_path / "run.log")
    result = pickle.loads(pickle.dumps(run_task(task, DataCache())))
    assert result.failure.kind is kind and str(error) in result.failure.cause and str(error) in task.log.read_text()


def test_a_log_that_cannot_be_written_is_a_failure_of_its_task(monkeypatch, tmp_path, tiny_yaml):
    monkeypatch.setattr("kerasexp.runs.run.run_experiment", lambda *_: None)
    task = Task("a", 0, load_experiment(tiny_yaml), tmp_path / "run", tmp_path)
    assert run_task(task, DataCache()).failure == Failure(FailureKind.OTHER, f"{tmp_path}: Is a directory")


def test_a_process_that_died_without_a_task_is_replaced(tmp_path):
    missing = Task("a", 0, None, tmp_path / "run", tmp_path)
    with ProcessPool(1) as pool:
        for _ in range(2):
            pool.start(missing)
            assert "Is a directory" in pool.wait_for_one().failure.cause
            pool._workers[0].process.kill()
            pool._workers[0].process.join()


@pytest.mark.parametrize(("error", "tries"), [(DirectoryInUse("taken"), 3), (RunError("its cause"), 1)])
def test_a_task_waits_for_the_process_of_a_command_that_was_killed(monkeypatch, tmp_path, tiny_yaml, error, tries):
    tried = []

    def run(*_):
        tried.append(1)
        if len(tried) < 3:
            raise error

    monkeypatch.setattr("kerasexp.runs.run.run_experiment", run)
    monkeypatch.setattr(tasks.time, "sleep", lambda seconds: None)
    task = Task("a", 0, load_experiment(tiny_yaml), tmp_path / "run", tmp_path / "run.log")
    failure = run_task(task, DataCache()).failure
    assert len(tried) == tries and (failure is None) == (tries == 3)


def test_who_only_hands_out_tasks_imports_no_tensorflow():
    code = "import kerasexp.studies.run, kerasexp.studies.page, kerasexp.executors.process_pool, sys"
    command = [sys.executable, "-c", f"{code}; sys.exit('tensorflow' in sys.modules)"]
    assert subprocess.run(command, check=False).returncode == 0


def test_tasks_start_in_their_order_or_in_the_one_that_is_chosen():
    class Slots:
        """Ends tasks in the order of their start, two at a time."""

        def __init__(self):
            self.running = []

        free_slots = property(lambda self: 2 - len(self.running))

        def start(self, task):
            self.running.append(task)

        def wait_for_one(self):
            return self.running.pop(0)

    for choose, order in (({}, [3, 1, 2]), ({"choose": max}, [3, 2, 1])):
        begun = []
        assert list(run_all([3, 1, 2], Slots(), begun.append, **choose)) == order == begun
