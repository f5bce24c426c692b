"""MLflow with a real server and its SQLite store: a study with its curves and files, the server's death, resuming."""

from __future__ import annotations

import csv
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from contextlib import closing, suppress
from pathlib import Path

import pytest

mlflow = pytest.importorskip("mlflow", reason="MLflow is not installed: pip install 'kerasexp[mlflow]'")
pytestmark = pytest.mark.slow

STUDY = """
data: digits
training: {epochs: 2, batch_size: 64}
variants: {narrow: {model: {name: mlp, units: [8]}}, wide: {model: {name: mlp, units: [16]}}}
seeds: [0, 1, 2]
report: {plots: false}
"""
ONE = """
data: digits
model: {name: mlp, units: [8]}
training: {epochs: 2, batch_size: 64}
"""
CURVES = ("loss", "accuracy", "val_loss", "val_accuracy", "learning_rate")


class Server:
    """An MLflow server, which can die and come back with what it had."""

    def __init__(self, folder: Path):
        self._folder = folder
        with closing(socket.socket()) as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]
        self.uri = f"http://127.0.0.1:{self._port}"
        self.start()

    def start(self) -> None:
        store = ["--backend-store-uri", f"sqlite:///{self._folder}/store.db"]
        files = ["--artifacts-destination", str(self._folder / "files")]
        place = ["--host", "127.0.0.1", "--port", str(self._port), "--workers", "1"]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "mlflow", "server", *place, *store, *files],
            cwd=self._folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        deadline = time.monotonic() + 180
        while time.monotonic() < deadline:
            with suppress(OSError), urllib.request.urlopen(f"{self.uri}/health", timeout=5):
                return
            time.sleep(0.2)
        raise TimeoutError("the server does not start")

    def kill(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    made = Server(tmp_path_factory.mktemp("server"))
    yield made
    made.kill()


@pytest.fixture
def client(server, monkeypatch):
    """A client of the server, which the environment names, not the experiment."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server.uri)
    return mlflow.MlflowClient(server.uri)


def entry_of(run: Path) -> dict:
    return json.loads((run / "tracking.json").read_text())["mlflow"]


def files_of(client, run: str, folder: str | None = None) -> set[str]:
    found = client.list_artifacts(run, folder)
    below = [files_of(client, run, each.path) for each in found if each.is_dir]
    return {each.path for each in found if not each.is_dir}.union(*below)


def assert_equal(client, run: Path) -> None:
    """The server has the curves and the metrics of a run directory, to the last digit, and its files."""
    sent = client.get_run(entry_of(run)["id"])
    with (run / "history.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    for curve in CURVES:
        points = client.get_metric_history(sent.info.run_id, curve)
        assert [(point.step, point.value) for point in points] == [(int(r["epoch"]), float(r[curve])) for r in rows]
    metrics = json.loads((run / "metrics.json").read_text())
    for split in ("val", "test"):
        numbers = {key: value for key, value in metrics[split].items() if isinstance(value, int | float)}
        assert numbers and all(sent.data.metrics[f"{split}/{key}"] == value for key, value in numbers.items())
    assert sent.info.status == "FINISHED"
    files = files_of(client, sent.info.run_id)
    assert {"report.html", "manifest.json", "requirements.txt", "checkpoint/model.keras"} <= files


def test_a_study_has_a_run_with_six_nested_runs(cli, client, tmp_path):
    (tmp_path / "six.yaml").write_text(f"track: mlflow\n{STUDY}")
    answer = cli("run", "six.yaml")
    assert answer.code == 0, answer.err
    study = Path(answer.last_line)
    parent = client.get_run(entry_of(study)["id"])
    assert f"mlflow: {client.tracking_uri}/#/experiments/" in answer.out
    assert parent.info.status == "FINISHED" and "narrow" in parent.data.tags["mlflow.note.content"]
    assert "study.html" in files_of(client, parent.info.run_id)
    experiment = client.get_experiment_by_name("six")
    nested = client.search_runs(
        [experiment.experiment_id], f"tags.`mlflow.parentRunId` = '{parent.info.run_id}'", max_results=10
    )
    assert {run.info.run_name for run in nested} == {f"{name}/{seed}" for name in ("narrow", "wide") for seed in "012"}
    for run in nested:
        assert_equal(client, study / run.info.run_name)
        assert run.data.params["data.source"] == "digits" and run.data.params["training.epochs"] == "2"
    assert cli("track", "status", study).out.count("everything") == 0


def test_the_death_of_the_server_stops_nothing_and_sync_delivers_the_rest(server, client, tmp_path):
    (tmp_path / "dies.yaml").write_text(f"track: mlflow\n{STUDY}")
    process = subprocess.Popen(
        [sys.executable, "-m", "kerasexp", "run", "dies.yaml"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    lines: list[str] = []
    errors = threading.Thread(target=process.stderr.read)
    errors.start()
    for line in process.stdout:
        lines.append(line)
        if line.startswith("2/6 "):
            server.kill()
    errors.join()
    assert process.wait() == 0
    study = Path(lines[-1].strip())
    told = [line for line in lines if "connection refused" in line]
    assert len(told) == 1 and f"track sync {study}" in told[0]
    assert json.loads((study / "study.json").read_text())["status"] == "finished"
    kerasexp = [sys.executable, "-m", "kerasexp", "track", "sync", str(study)]
    assert subprocess.run(kerasexp, capture_output=True, timeout=120).returncode == 1
    server.start()
    done = subprocess.run(kerasexp, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout
    for name in ("narrow", "wide"):
        for seed in "012":
            assert_equal(client, study / name / seed)
    again = subprocess.run(kerasexp, capture_output=True, text=True, timeout=120)
    assert again.stdout.count("has everything") == 7


def test_resume_goes_on_in_the_same_run_and_a_changed_parameter_is_a_tag(cli, client, tmp_path):
    (tmp_path / "one.yaml").write_text(f"track: mlflow\n{ONE}")
    run = Path(cli("run", "one.yaml").last_line)
    first = entry_of(run)["id"]
    answer = cli("run", "one.yaml", "--resume", "--set", "training.epochs=4")
    assert answer.code == 0 and Path(answer.last_line) == run and entry_of(run)["id"] == first
    assert_equal(client, run)
    sent = client.get_run(first)
    assert [point.step for point in client.get_metric_history(first, "loss")] == [1, 2, 3, 4]
    assert sent.data.params["training.epochs"] == "2"
    assert sent.data.tags["kerasexp.changed.training.epochs"] == "4"
    assert len(client.search_runs([client.get_experiment_by_name("one").experiment_id])) == 1


def test_a_killed_training_is_delivered_by_sync(client, tmp_path):
    (tmp_path / "long.yaml").write_text(f"track: mlflow\n{ONE}")
    process = subprocess.Popen(
        [sys.executable, "-m", "kerasexp", "run", "long.yaml", "--set", "training.epochs=100000"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    for line in process.stdout:
        if re.match("epoch 3/", line):
            break
    process.kill()
    process.wait()
    assert subprocess.run([sys.executable, "-m", "kerasexp", "track", "sync"], timeout=120).returncode == 0
    sent = client.get_run(entry_of(Path("runs/long/1"))["id"])
    rows = len((Path("runs/long/1") / "history.csv").read_text().splitlines()) - 1
    points = client.get_metric_history(sent.info.run_id, "loss")
    assert sent.info.status == "KILLED" and sorted(point.step for point in points) == list(range(1, rows + 1))


def test_a_run_that_was_deleted_there_is_named(cli, client, tmp_path):
    (tmp_path / "gone.yaml").write_text(f"track: mlflow\n{ONE}")
    run = Path(cli("run", "gone.yaml").last_line)
    client.delete_run(entry_of(run)["id"])
    assert cli("track", "sync", run).code == 0  # nothing is missing
    (run / "tags.json").write_text('{"tags": ["good"]}')
    answer = cli("track", "sync", run)
    assert answer.code == 1 and "was deleted there; remove tracking.json" in answer.out


def test_a_server_that_never_answers_holds_no_training_up(cli, tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    with closing(socket.socket()) as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen()
        uri = f"http://me:secret@127.0.0.1:{deaf.getsockname()[1]}"
        monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
        (tmp_path / "one.yaml").write_text(f"track: mlflow\n{ONE}report: {{plots: false}}\n")
        answer = cli("run", "one.yaml")
    assert answer.code == 0
    (told,) = [line for line in answer.out.splitlines() if line.startswith("mlflow")]
    assert "it does not answer in time; the training goes on" in told
    files = [path for path in Path(answer.last_line).rglob("*") if path.suffix in (".json", ".yaml", ".log")]
    assert len(files) > 5 and not any("secret" in path.read_text() for path in files) and "secret" not in answer.out
