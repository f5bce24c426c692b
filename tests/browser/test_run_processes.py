"""Stop and resume: they reach the process of a training, and nothing else."""

import os
import platform
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from many_runs import write_run

from kerasexp.browser import run_processes
from kerasexp.browser.live_run import live_run
from kerasexp.browser.run_processes import can_stop, is_resuming, resume, stop_training
from kerasexp.errors import UserError
from kerasexp.runs.directory import RunDirectory
from kerasexp.storage import write_json


@pytest.fixture
def signals(monkeypatch) -> list[tuple[int, int]]:
    """The signals that are sent; no process gets them."""
    sent = []
    monkeypatch.setattr(os, "kill", lambda process, number: sent.append((process, number)))
    return sent


def training(process: object, host: str | None = None) -> RunDirectory:
    """Return a run that seems to train in a process."""
    run = RunDirectory(write_run(Path("runs/live"), 1, "running"))
    write_json(run.progress, {"process": process, "host": host or platform.node()})
    return run


def test_the_process_of_a_training_is_interrupted(signals):
    run = training(4321)
    with run.locked():
        assert can_stop(run.path, "running")
        stop_training(run.path)
    assert signals == [(4321, signal.SIGINT)]


@pytest.mark.parametrize(
    ("process", "host"), [(-1, None), (0, None), (1, None), ("x", None), (4321, "another machine")]
)
def test_no_other_process_is_reached(signals, process, host):
    run = training(process, host)
    with run.locked():
        assert not can_stop(run.path, "running")
        with pytest.raises(UserError, match="nothing to stop"):
            stop_training(run.path)
    assert signals == []


def test_a_killed_training_has_no_process_to_stop(signals):
    run = training(4321)  # the number may be that of another process now
    with pytest.raises(UserError, match="nothing to stop"):
        stop_training(run.path)
    assert signals == []


def test_only_what_is_unfinished_is_continued_and_once(monkeypatch):
    run = write_run(Path("runs/some"), 2, "interrupted")
    for status in ("running", "finished"):
        with pytest.raises(UserError, match=f"is {status}, so there is nothing to continue"):
            resume(run, status)
    wait = ["-c", "import time; print('waiting', flush=True); time.sleep(60)"]
    original = subprocess.Popen
    monkeypatch.setattr(subprocess, "Popen", lambda command, **more: original([command[0], *wait], **more))
    resume(run, "interrupted")
    process = run_processes._started[run]
    try:
        assert is_resuming(run)
        with pytest.raises(UserError, match="is being continued already"):
            resume(run, "interrupted")
    finally:
        process.kill()
        process.wait()
    assert not is_resuming(run)


@pytest.mark.slow
def test_a_training_is_stopped_and_continued(tiny_yaml):
    epochs = "training.epochs=30"
    command = [sys.executable, "-m", "kerasexp", "run", str(tiny_yaml), "--run-dir", "cut", "--set", epochs]
    process, cut = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL), Path("cut")
    deadline = time.monotonic() + 300
    while not can_stop(cut, "running") and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    stop_training(cut)
    assert process.wait(timeout=300) == 128 + signal.SIGINT
    assert live_run(cut)["status"] == "interrupted" and not (cut / "progress.json").exists()
    resume(cut, "interrupted")
    assert run_processes._started[cut].wait(timeout=300) == 0, (cut / "resumed.log").read_text()
    assert live_run(cut)["status"] == "finished" and live_run(cut)["history"]["epoch"][-1] == 30
    assert "resuming" in (cut / "resumed.log").read_text()
