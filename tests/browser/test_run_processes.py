"""Stop and resume: they reach the process of a training, and nothing else."""

import json
import os
import platform
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from live_folders import trial, write_search, write_study
from many_runs import write_run

from kerasexp.browser import run_processes
from kerasexp.browser.live_page import live_values
from kerasexp.browser.live_run import live_run
from kerasexp.browser.run_index import status_of
from kerasexp.browser.run_processes import can_stop, is_resuming, resume, stop
from kerasexp.errors import RunError, UserError
from kerasexp.runs.directory import RunDirectory
from kerasexp.storage import write_json


@pytest.fixture
def signals(monkeypatch) -> list[tuple[int, int]]:
    """The signals that are sent; no process gets them."""
    sent = []
    monkeypatch.setattr(os, "kill", lambda process, number: sent.append((process, number)))
    return sent


def holder(run: RunDirectory, **changed: object) -> None:
    """Write which process has the lock of a directory."""
    write_json(run.process, {"process": 4321, "host": platform.node(), "stop_signal": int(signal.SIGINT), **changed})


@pytest.fixture(params=["run", "study", "search"])
def running(request) -> RunDirectory:
    """A run, a study and a search; each runs while its lock is held."""
    place = Path("runs/live")
    if request.param == "run":
        return RunDirectory(write_run(place, 1, "running"))
    return RunDirectory(write_study(place) if request.param == "study" else write_search(place, [trial(0, 0.5)]))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_process_is_asked_to_stop(signals, running, number):
    with running.locked():
        holder(running, stop_signal=int(number))
        assert can_stop(running.path, "running")
        stop(running.path)
    assert signals == [(4321, number)]


@pytest.mark.parametrize(
    "changed",
    [{"process": -1}, {"process": 0}, {"process": 1}, {"process": "x"}, {"host": "another machine"}, {"stop_signal": None},
     {"stop_signal": 9}],
)  # fmt: skip
def test_no_other_process_is_reached(signals, running, changed):
    with running.locked():
        holder(running, **changed)
        assert not can_stop(running.path, "running")
        with pytest.raises(UserError, match="does not run now"):
            stop(running.path)
    assert signals == []


def test_what_was_killed_has_no_process_to_stop(signals, running):
    holder(running)  # the number may be that of another process now
    assert status_of(running.path) == "killed"
    with pytest.raises(UserError, match="does not run now"):
        stop(running.path)
    assert signals == []


def test_the_number_of_a_killed_process_is_not_kept_on_a_full_disk(signals, running, monkeypatch):
    def fail(path: Path, content: object) -> None:
        raise RunError("the disk is full")

    holder(running)
    monkeypatch.setattr("kerasexp.runs.directory.write_json", fail)
    with running.locked():
        assert not can_stop(running.path, "running")


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


def test_a_log_that_cannot_be_written_is_named():
    run = write_run(Path("runs/some"), 2, "interrupted")
    (run / run_processes.LOG).mkdir()
    with pytest.raises(UserError, match=f"{run_processes.LOG}: nothing can be started there: Is a directory"):
        resume(run, "interrupted")
    assert not is_resuming(run)


@pytest.mark.parametrize("provenance", [3, {"folder": 3}])
def test_a_run_without_its_folder_is_continued_in_this_one(provenance):
    run = write_run(Path("runs/some"), 2, "interrupted")
    (run / "manifest.json").write_text(json.dumps({"status": "interrupted", "provenance": provenance}))
    assert run_processes._working_folder(run) == Path.cwd()


@pytest.mark.parametrize("kind", ["run", "study", "search"])
def test_what_is_continued_begins_in_the_folder_in_which_it_was_begun(kind, tmp_path):
    """There the YAML files and the upstream runs are that it names."""
    place, begun = Path("runs/some"), tmp_path / "elsewhere"
    begun.mkdir()
    if kind == "run":
        write_run(place, 2, "interrupted")
    else:
        write_study(place) if kind == "study" else write_search(place, [trial(0, 0.5)])
    manifest = next(place.rglob("manifest.json"))
    manifest.write_text(json.dumps({"status": "interrupted", "provenance": {"folder": str(begun)}}))
    assert run_processes._working_folder(place) == begun


@pytest.mark.slow
def test_a_training_is_stopped_and_continued(tiny_yaml):
    epochs = "training.epochs=30"
    command = [sys.executable, "-m", "kerasexp", "run", str(tiny_yaml), "--run-dir", "cut", "--set", epochs]
    process, cut = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL), Path("cut")
    deadline = time.monotonic() + 300
    # A run locks its directory before it writes that it runs.
    while not can_stop(cut, status_of(cut)) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    stop(cut)
    assert process.wait(timeout=300) == 128 + signal.SIGINT
    assert live_run(cut)["status"] == "interrupted" and not (cut / "progress.json").exists()
    resume(cut, "interrupted")
    assert run_processes._started[cut].wait(timeout=300) == 0, (cut / "resumed.log").read_text()
    assert live_run(cut)["status"] == "finished" and live_run(cut)["history"]["epoch"][-1] == 30
    assert "resuming" in (cut / "resumed.log").read_text()


STUDY = """
base: tiny.yaml
name: tiny_study
training: {epochs: 25}
seeds: [0, 1]
variants: {a: {}, b: {training: {batch_size: 8}}}
"""


@pytest.mark.slow
@pytest.mark.parametrize("way", ["stopped", "killed"])
def test_a_study_of_two_jobs_is_stopped_or_killed_and_continued(tiny_yaml, tmp_path, way):
    (tmp_path / "study.yaml").write_text(STUDY)
    command = [sys.executable, "-m", "kerasexp", "run", "study.yaml", "--run-dir", "cut", "--jobs", "2"]
    process, cut = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL), Path("cut")
    deadline = time.monotonic() + 300
    while not list(cut.glob("*/*/progress.json")) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    now = live_values(cut, "cut", "")
    assert now["status"] == "running" and "step" in now["parts"]["now"] and can_stop(cut, "running")
    if way == "killed":
        process.kill()
        process.wait()
        # Its workers see that it is gone, and save.
        while list(cut.glob("*/*/.lock")) and time.monotonic() < deadline:
            time.sleep(0.1)
    else:
        stop(cut)
        assert process.wait(timeout=300) == 128 + signal.SIGINT
    status = status_of(cut)
    assert status == {"stopped": "unfinished", "killed": "killed"}[way]
    resume(cut, status)
    assert run_processes._started[cut].wait(timeout=300) == 0, (cut / "resumed.log").read_text()
    assert live_values(cut, "cut", "")["status"] == "finished" and not (cut / ".process.json").exists()
