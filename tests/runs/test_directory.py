import os
import threading

import pytest

from kerasexp.errors import RunError, UserError
from kerasexp.runs.directory import RunDirectory, earlier_runs
from kerasexp.storage import write_json, write_text


def test_numbers_follow_each_other_also_between_threads(tmp_path):
    threads = [threading.Thread(target=RunDirectory.create, args=("a", None)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [int(run.path.name) for run in earlier_runs("a")] == [8, 7, 6, 5, 4, 3, 2, 1]


def test_a_failed_write_leaves_what_was_there(tmp_path, monkeypatch):
    path = tmp_path / "f.txt"
    write_text(path, "old")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(RunError, match="No space left"):
        write_text(path, "new")
    assert path.read_text() == "old" and [p.name for p in tmp_path.iterdir()] == ["f.txt"]


def test_nan_is_not_written_as_json(tmp_path):
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "m.json", {"loss": float("nan")})


def test_a_place_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="file"):
        RunDirectory.create("a", tmp_path / "file" / "below")


def test_a_run_that_was_killed_before_its_manifest_has_barely_begun(tmp_path):
    run = RunDirectory.create("a", tmp_path / "run")
    (run.path / "code").mkdir()
    write_text(run.path / "code" / "net.py", "")
    assert run.is_barely_begun()
    write_text(run.experiment, "{}")
    assert run.is_barely_begun()
    write_text(run.path / "experiment.yaml.txt", "")
    assert not run.is_barely_begun()
