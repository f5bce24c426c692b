"""Where a running job is, by its files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from kerasexp.console import Position
from kerasexp.executors.job_position import JobPosition
from kerasexp.training.live_progress import LiveProgress


def make(path: Path, age: int = 0) -> None:
    path.write_text("{}")
    os.utime(path, ns=(10**18 - age, 10**18 - age))


def test_a_job_starts_trains_and_is_evaluated(tmp_path):
    run = tmp_path / "run"
    position = JobPosition(run)
    assert position() == Position("starting")
    run.mkdir()
    (run / "manifest.json").write_text("{}")
    assert position() == Position("preparing")
    with LiveProgress(run / "progress.json", 3, 100, 32) as live:
        live.on_epoch_begin(1)
        live.on_train_batch_end(49, {"loss": 0.5, "accuracy": 0.75})
        assert position() == Position("training", 2, 3, 50, 100, 0.5, 0.75)
        assert position().share == 0.5
        (run / "history.csv").write_text("")
    assert position() == Position("evaluating")


@pytest.mark.parametrize("content", ["", "{}"])
def test_a_file_that_cannot_be_read_is_no_position(tmp_path, content):
    position = JobPosition(tmp_path)
    (tmp_path / "progress.json").write_text(content)
    assert position() == Position("starting")


def test_files_of_an_earlier_process_do_not_count(tmp_path):
    for name in ("manifest.json", "progress.json", "history.csv"):
        make(tmp_path / name, age=5)
    position = JobPosition(tmp_path)
    assert position() == Position("starting")
    make(tmp_path / "manifest.json")
    assert position() == Position("preparing")
