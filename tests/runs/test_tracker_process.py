"""The process beside a training that sends it to trackers: whatever it does, the training goes on."""

from __future__ import annotations

import io
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kerasexp.config import load_experiment
from kerasexp.config.track_section import read_track
from kerasexp.console import Console, QuietConsole, WarningConsole
from kerasexp.data.load_data import load_data
from kerasexp.runs import tracker_process
from kerasexp.runs.identity import identify
from kerasexp.runs.tracker_process import followed

TRACK = read_track({"track": "mlflow"})


@pytest.fixture
def helper(monkeypatch):
    """Return a function that puts a script in the place of the process."""

    def put(script: str) -> None:
        def start(folder):
            return subprocess.Popen(
                [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )

        monkeypatch.setattr(tracker_process, "_start", start)

    return put


def lines_of(block=lambda: None, track=TRACK, folder="run"):
    """Run a block that is followed, and return what the console has."""
    out = io.StringIO()
    with followed(Path(folder), track, Console(out)):
        block()
    return out.getvalue().splitlines()


def test_its_lines_are_shown_before_the_end(helper):
    helper("import sys; print('note\\tmlflow: here', flush=True); sys.stdin.read(); print('warning\\tdown')")
    assert lines_of() == ["mlflow: here", "down"]


def test_a_warning_is_shown_where_progress_is_not(helper, capsys):
    helper("print('note\\tmlflow: here'); print('warning\\tdown')")
    with followed(Path("run"), TRACK, WarningConsole()):
        pass
    out, err = capsys.readouterr()
    assert "mlflow" not in out + err and "warning: down" in err


def test_a_process_that_dies_is_reported_and_how_to_send_the_rest(helper):
    helper("import sys; sys.exit(3)")
    (line,) = lines_of(lambda: time.sleep(0.2))
    assert "ended with code 3" in line and line.endswith("track sync run")


def test_a_process_that_hangs_is_ended_after_the_last_attempt(helper, monkeypatch):
    monkeypatch.setattr(tracker_process, "LAST_SECONDS", 0.5)
    helper("import time; time.sleep(60)")
    start = time.monotonic()
    (line,) = lines_of()
    assert "not everything was sent within 0.5 seconds" in line and time.monotonic() - start < 10


def test_the_error_of_a_training_comes_through(helper):
    helper("import sys; sys.stdin.read()")
    with pytest.raises(ZeroDivisionError):
        lines_of(lambda: 1 / 0)


def test_without_a_tracker_there_is_no_process(monkeypatch):
    monkeypatch.setattr(tracker_process, "_start", None)
    assert lines_of(track=read_track({"track": "tensorboard"})) == []


def test_a_process_that_cannot_be_started_stops_nothing(monkeypatch):
    def start(folder):
        raise OSError(12, "Cannot allocate memory")

    monkeypatch.setattr(tracker_process, "_start", start)
    (line,) = lines_of()
    assert "no process can be started (Cannot allocate memory)" in line


@pytest.mark.parametrize("command", ["run", "check"])
def test_a_missing_package_is_named_before_anything_is_written(cli, command, tmp_path, monkeypatch):
    monkeypatch.setattr(tracker_process, "missing_of", lambda extra: [extra])
    for text in ("data: digits\n", "data: digits\nseeds: [0, 1]\n"):
        (tmp_path / "one.yaml").write_text(f"track: mlflow\n{text}")
        answer = cli(command, "one.yaml")
        assert answer.code == 2 and "pip install" in answer.err and "kerasexp[mlflow]" in answer.err
        assert "track.mlflow" in answer.err
    assert not (tmp_path / "runs").exists()


def test_trackers_are_no_part_of_the_identity_of_a_run(tmp_path):
    (tmp_path / "one.yaml").write_text("data: digits\n")
    plain = load_experiment(tmp_path / "one.yaml")
    tracked = load_experiment(tmp_path / "one.yaml", ["track={mlflow: {uri: 'http://x'}}"])
    data = load_data(plain, QuietConsole())
    assert tracked != plain and identify(tracked, data, None) == identify(plain, data, None)
