"""The results of a study are saved while it runs, and saving takes a small part of its time."""

import time
from pathlib import Path

import pytest

from kerasexp.config.study_section import load_mapping
from kerasexp.console import QuietConsole
from kerasexp.executors.tasks import Failure, FailureKind, TaskResult
from kerasexp.studies import run as studies

STUDY = {"data": "digits", "seeds": list(range(60)), "variants": {"a": {}, "b": {"training": {"batch_size": 8}}}}


class Failing:
    """An executor whose runs fail after a second of a clock that only it and saving advance."""

    def __init__(self, clock: list[float]):
        self._clock, self._task = clock, None

    @property
    def free_slots(self) -> int:
        return 0 if self._task else 1

    def start(self, task) -> None:
        self._task = task

    def wait_for_one(self) -> TaskResult:
        task, self._task = self._task, None
        self._clock[0] += 1
        return TaskResult(task, Failure(FailureKind.OTHER, "as it should"))


@pytest.mark.parametrize(("seconds", "expected"), [(0.001, 120), (0.5, 12), (3, 2)])
def test_saving_takes_at_most_a_twentieth_of_the_time(monkeypatch, seconds, expected):
    clock, saved = [0.0], []
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])

    def save(self, is_over: bool) -> None:
        clock[0] += seconds
        saved.append(clock[0])

    monkeypatch.setattr(studies._StudyProgress, "save", save)
    study = load_mapping(STUDY)
    directory = studies.StudyDirectory.find_or_create(study.name, "key", Path("study"))
    studies._StudyProgress(study, directory, ()).run(Failing(clock), QuietConsole())
    assert len(saved) == expected


def test_a_study_is_unfinished_until_its_last_run_has_ended(monkeypatch):
    study, written = load_mapping(STUDY), []
    directory = studies.StudyDirectory.find_or_create(study.name, "key", Path("study"))
    monkeypatch.setattr(
        type(directory), "write_results", lambda self, content, table: written.append(content["status"])
    )
    progress = studies._StudyProgress(study, directory, ())
    progress.run(Failing([0.0]), QuietConsole())
    progress.save()
    *before, last = written
    assert set(before) == {"unfinished"} and last == "failed"
