"""Real processes killed at random moments, by SIGKILL, which nothing can catch; each goes on to the unbroken run's end.

Two kinds of moments: at a random second (imports, decoding, training, validation, evaluation, report), and just before
or after a file takes its place (cache, checkpoint, state, history, manifest, figures, page), where a half-done write
would show. A few in each run of the tests; 50 by

    KERASEXP_FULL=1 python -m pytest tests/test_killed.py
"""

import csv
import hashlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import keras
import numpy as np
import pytest
from tiny import TINY, draw_images

KILLS = 50 if os.environ.get("KERASEXP_FULL") else 4
CHANGES = [
    "training.epochs=6",
    "training.validate_at=[0, 3]",
    "training.save_minutes=0.002",
    "training.optimizer.ema=0.9",
]
# So many files take their place in a run, at least.
REPLACED = 35
# Runs the command line, and kills itself at the n-th time that a file takes its place: before it or after.
DYING = """
import os, signal, sys
left, when, *sys.argv[1:] = sys.argv[1:]
left, replace = [int(left)], os.replace
def dying(*arguments, **keywords):
    left[0] -= 1
    if left[0] == 0 and when == "before":
        os.kill(os.getpid(), signal.SIGKILL)
    replace(*arguments, **keywords)
    if left[0] == 0:
        os.kill(os.getpid(), signal.SIGKILL)
os.replace = dying
from kerasexp.cli import main
main()
"""


def command(folder: Path, *more: str) -> list[str]:
    changes = [part for change in CHANGES for part in ("--set", change)]
    return ["run", str(folder / "tiny.yaml"), *changes, "--run-dir", str(folder / "run"), *more]


def environment(folder: Path) -> dict[str, str]:
    return {**os.environ, "KERASEXP_CACHE": str(folder / "cache"), "TF_CPP_MIN_LOG_LEVEL": "3"}


def start(folder: Path, *more: str, dying: tuple[int, str] | None = None) -> subprocess.Popen:
    program = ["-m", "kerasexp"] if dying is None else ["-c", DYING, str(dying[0]), dying[1]]
    return subprocess.Popen(
        [sys.executable, *program, *command(folder, *more)],
        cwd=folder,
        env=environment(folder),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def finished(folder: Path, *more: str) -> str:
    process = start(folder, *more)
    out, _ = process.communicate(timeout=300)
    assert process.returncode == 0, out
    return out


def outcome(folder: Path) -> tuple[str, list[list[str]]]:
    """Return the digest of the saved weights, and the history without its seconds."""
    total = hashlib.sha256()
    for weight in keras.models.load_model(folder / "run" / "checkpoint" / "model.keras").get_weights():
        total.update(weight.tobytes())
    rows = list(csv.DictReader((folder / "run" / "history.csv").open()))
    return total.hexdigest(), [[value for key, value in row.items() if key != "seconds"] for row in rows]


def prepared(folder: Path) -> Path:
    folder.mkdir()
    draw_images(folder / "images")
    (folder / "tiny.yaml").write_text(TINY)
    return folder


@pytest.mark.slow
def test_killed_runs_end_with_the_weights_of_the_unbroken_one(tmp_path):
    whole = prepared(tmp_path / "whole")
    begun = time.monotonic()
    finished(whole)
    seconds = time.monotonic() - begun
    expected = outcome(whole)
    assert [row[0] for row in expected[1]] == ["1", "2", "3", "4", "5", "6"]
    generator = np.random.default_rng(KILLS)
    killed, number = 0, 0
    # A run that was faster than its killer is no test of anything, and is not counted.
    while killed < KILLS and number < 2 * KILLS:
        number += 1
        folder = prepared(tmp_path / str(number))
        if number % 2:
            place = int(generator.integers(1, REPLACED)), str(generator.choice(["before", "after"]))
            process = start(folder, dying=place)
        else:
            process = start(folder)
            time.sleep(generator.uniform(0.15, 0.6) * seconds)
            process.kill()
        process.communicate(timeout=300)
        killed += process.returncode == -signal.SIGKILL
        left = [p.name for p in folder.rglob("*") if p.is_file()]
        out = finished(folder, "--resume")
        assert outcome(folder) == expected, (number, left, out)
    print(f"\n{killed} of {number} runs were killed, and all ended like the unbroken one")
    assert killed == KILLS
