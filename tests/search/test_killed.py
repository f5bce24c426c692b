"""A search that is killed several times ends like one that was not; its trials are really trained."""

import csv
import json
import os
import random
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

KILLS, EPOCHS, TRIALS = (10, 27, 24) if os.environ.get("KERASEXP_FULL") else (2, 9, 12)
SPACE = """
data: {source: digits}
model: {name: mlp, units: {choice: [[8], [16], [32]]}}
training: {epochs: EPOCHS, batch_size: 20, optimizer: {learning_rate: {float: [0.0005, 0.05], sampling: log}}}
search: {algorithm: ALGORITHM, max_trials: TRIALS, confirm: []}
"""


def trials(folder: str) -> list[dict[str, str]]:
    with Path(folder, "trials.csv").open() as file:
        return [{k: v for k, v in row.items() if k not in ("seconds", "ended_at")} for row in csv.DictReader(file)]


@pytest.mark.parametrize("algorithm", ["random", "hyperband"])
def test_a_killed_search_ends_like_an_uninterrupted_one(algorithm, capsys):
    Path("space.yaml").write_text(
        SPACE.replace("ALGORITHM", algorithm).replace("EPOCHS", str(EPOCHS)).replace("TRIALS", str(TRIALS))
    )
    command = [sys.executable, "-m", "kerasexp", "search", "space.yaml", "--run-dir"]
    subprocess.run([*command, "whole"], check=True, capture_output=True)
    generator, killed, ended_before = random.Random(0), 0, []
    for _ in range(4 * KILLS):
        process = subprocess.Popen([*command, "killed"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        start = time.time()
        # Sometimes before the first trial, else during the trials.
        patience = generator.uniform(0, 6) if generator.random() < 0.2 else 60
        while process.poll() is None and time.time() - start < patience and not has_trained_since(start):
            time.sleep(0.05)
        with suppress(subprocess.TimeoutExpired):
            process.wait(generator.uniform(0, 3))
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
            killed += 1
        process.wait()
        if Path("killed/trials.csv").exists():
            ended = [row["trial"] for row in trials("killed")]
            assert len(ended) == len(set(ended)) and set(ended_before) <= set(ended)
            ended_before = ended
        if killed == KILLS or process.returncode == 0:
            break
    done = subprocess.run([*command, "killed"], check=True, capture_output=True, text=True)
    assert done.stdout.rstrip().endswith("killed")
    assert trials("killed") == trials("whole")
    histories = [
        {name: history(path) for name, path in runs("killed")},
        {name: history(path) for name, path in runs("whole")},
    ]
    assert histories[0] == histories[1]
    # An interrupted trial was resumed, and its manifest says so; trials that had ended were not started again.
    resumed = [json.loads((path / "manifest.json").read_text()).get("resumed", []) for _, path in runs("killed")]
    with capsys.disabled():
        print(f"\n{algorithm}: {killed} kills; {sum(map(len, resumed))} trials resumed from their last state")
    assert killed == KILLS


def has_trained_since(moment: float) -> bool:
    return any(path.stat().st_mtime > moment for path in Path("killed").glob("trial_*/run/history.csv"))


def runs(folder: str) -> list[tuple[str, Path]]:
    return [(path.parent.name, path) for path in sorted(Path(folder).glob("trial_*/run"))]


def history(run: Path) -> list[dict[str, str]]:
    with (run / "history.csv").open() as file:
        return [{k: v for k, v in row.items() if k != "seconds"} for row in csv.DictReader(file)]
