"""Runs where the machine misbehaves: a clock that is set back, and a file system without locks."""

import csv
import errno
import json
import os
import time
from pathlib import Path

import pytest

from kerasexp.storage import exclusive_lock

pytestmark = pytest.mark.slow


def test_a_clock_that_is_set_back_during_a_run_changes_no_duration(cli, tiny_yaml, monkeypatch):
    """Each question for the time of day gets an answer an hour before the last one."""
    now = [time.time()]

    def earlier() -> float:
        now[0] -= 3600
        return now[0]

    monkeypatch.setattr("time.time", earlier)
    monkeypatch.setattr("time.time_ns", lambda: int(earlier() * 10**9))
    answer = cli("run", tiny_yaml, "--set", "training.save_minutes=0.001")
    assert answer.code == 0, answer.err
    run = Path(answer.last_line)
    with (run / "history.csv").open() as file:
        seconds = [float(row["seconds"]) for row in csv.DictReader(file)]
    assert len(seconds) == 3 and seconds == sorted(seconds) and seconds[0] > 0
    times = json.loads((run / "manifest.json").read_text())["times"]
    assert all(0 <= times[key] < 600 for key in ("data_seconds", "train_seconds", "evaluate_seconds", "report_seconds"))
    assert cli("run", tiny_yaml, "--set", "training.epochs=4", "--resume").code == 0


@pytest.mark.parametrize("code", [errno.ENOLCK, errno.EOPNOTSUPP])
def test_without_locks_a_run_works_and_says_so_once(cli, tiny_yaml, tmp_path, monkeypatch, code):
    def no_locks(*_):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr("fcntl.flock", no_locks)
    answer = cli("run", tiny_yaml, "--set", "training.epochs=1", "--run-dir", f"run-{code}")
    assert answer.code == 0, answer.err
    line = f"run-{code}: its file system cannot lock files ({os.strerror(code)}); let no other process write there meanwhile"
    assert answer.err.splitlines() == [line]
    with exclusive_lock(tmp_path / ".lock"):
        assert (tmp_path / ".lock").exists()
