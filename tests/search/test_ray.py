"""Studies and searches on a Ray cluster of three nodes on this machine, one of which is lost."""

import csv
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

ray = pytest.importorskip("ray", reason="the extra is not installed: pip install 'kerasexp[ray]'")

pytestmark = pytest.mark.slow

SPACE = """
data: {source: digits}
model: {name: mlp, units: {choice: [[8], [16], [32]]}}
training: {epochs: 40, batch_size: 20, optimizer: {learning_rate: {float: [0.0005, 0.05], sampling: log}}}
search: {algorithm: random, max_trials: 4, confirm: []}
executor: EXECUTOR
"""
STUDY = """
data: {source: digits}
training: {epochs: 2, batch_size: 50}
report: {plots: false}
seeds: [0, 1]
variants:
  small: {model: {name: mlp, units: [8]}}
  large: {model: {name: mlp, units: [32]}}
executor: EXECUTOR
"""
# Like the tasks on the cluster: another number of threads gives different last bits.
ONE_THREAD = {**os.environ, "TF_NUM_INTRAOP_THREADS": "1", "OMP_NUM_THREADS": "1"}


@pytest.fixture(scope="module")
def cluster():
    """A head that runs no tasks, and two nodes of one core."""
    from ray.cluster_utils import Cluster

    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
    nodes = [made.add_node(num_cpus=1) for _ in range(2)]
    made.wait_for_nodes()
    yield made, nodes
    made.shutdown()


@pytest.fixture
def on_ray(cluster):
    """Return a function that runs a command of ours on the cluster."""

    def run(command: str, file: str, folder: str) -> None:
        words = [sys.executable, "-m", "kerasexp", command, file, "--run-dir", folder]
        words += ["--set", f"ray.address={cluster[0].address}"] if "ray" in Path(file).read_text() else []
        done = subprocess.run(words, capture_output=True, text=True, timeout=400, env=ONE_THREAD)
        assert done.returncode == 0, done.stdout + done.stderr

    return run


def table(folder: str) -> list[dict[str, str]]:
    with Path(folder, "trials.csv").open() as file:
        rows = [{k: v for k, v in row.items() if k not in ("seconds", "ended_at")} for row in csv.DictReader(file)]
    return sorted(rows, key=lambda row: row["trial"])


def written(name: str, text: str, executor: str) -> str:
    Path(f"{name}_{executor}.yaml").write_text(f"name: {name}\n" + text.replace("EXECUTOR", executor))
    return f"{name}_{executor}.yaml"


def test_a_study_on_ray_gives_the_local_metrics(on_ray):
    on_ray("run", written("study", STUDY, "local"), "here")
    on_ray("run", written("study", STUDY, "ray"), "there")
    found = [json.loads(Path(folder, "study.json").read_text()) for folder in ("here", "there")]
    runs = [[(r["status"], r["test_accuracy"]) for v in study["variants"] for r in v["runs"]] for study in found]
    assert runs[0] == runs[1] and {status for status, _ in runs[0]} == {"finished"}


def test_a_search_on_ray_loses_a_node_and_nothing_else(on_ray, cluster, capsys):
    made, nodes = cluster
    on_ray("search", written("space", SPACE, "local"), "here")
    lost = []

    def lose() -> None:
        until = time.monotonic() + 200
        while time.monotonic() < until and not list(Path("there").glob("trial_*/run/history.csv")):
            time.sleep(0.5)
        made.remove_node(nodes[0], allow_graceful=False)
        lost.append(time.monotonic())

    thread = threading.Thread(target=lose)
    thread.start()
    on_ray("search", written("space", SPACE, "ray"), "there")
    thread.join()
    assert lost
    assert table("there") == table("here")
    manifests = [json.loads(path.read_text()) for path in Path("there").glob("trial_*/run/manifest.json")]
    assert [manifest["status"] for manifest in manifests] == ["finished"] * 4
    with capsys.disabled():
        print(f"\n{sum(len(m.get('resumed', [])) for m in manifests)} trials resumed on another node")


def test_a_missing_cluster_and_too_large_a_request_are_errors(cli, cluster):
    file = written("study", STUDY, "ray")
    answer = cli("run", file, "--set", "ray.address=127.0.0.1:1")
    assert answer.code == 2 and "ray.address: got '127.0.0.1:1', and there is no such cluster" in answer.err
    answer = cli("run", file, "--set", f"ray.address={cluster[0].address}", "--set", "ray.gpus=1")
    assert answer.code == 2 and "ray.gpus: got 1, and no node of the cluster has more than 0" in answer.err
