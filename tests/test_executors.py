"""How many tasks are carried out at once."""

import pytest

from kerasexp import executors
from kerasexp.config.execution import ExecutionKeys
from kerasexp.console import Console
from kerasexp.executors import executor_of
from kerasexp.executors.processes import InProcesses
from kerasexp.executors.tasks import InThisProcess


@pytest.mark.parametrize(
    ("jobs", "most", "cores", "at_once"), [(1, 9, 4, 1), (3, 9, 4, 3), (16, 9, 4, 4), (16, 2, 4, 2), (16, 9, 1, 1)]
)
def test_there_are_no_more_jobs_than_tasks_and_cores_and_it_is_said(monkeypatch, capsys, jobs, most, cores, at_once):
    monkeypatch.setattr(executors, "cores", lambda: cores)
    made = executor_of(ExecutionKeys(), jobs, most, Console())
    assert isinstance(made, InThisProcess if at_once == 1 else InProcesses)
    assert made.room == at_once
    told = "".join(capsys.readouterr())
    assert (f"{cores} of {jobs} jobs at once" in told) == (min(jobs, most) > cores)
