"""Commands that need no TensorFlow import none: their answer comes in a moment."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from kerasexp.data.hold_out import hold_out
from kerasexp.data.new_experiment import PLENTY, SPLIT_SEED

SCRIPT = """
import sys
from kerasexp.cli import main
code = 0
try:
    main()
except SystemExit as end:
    code = end.code
print('imported:', *sorted({'tensorflow', 'keras', 'sklearn', 'matplotlib'} & sys.modules.keys()))
sys.exit(code)
"""


def answer_of(*arguments) -> tuple[int, list[str], str, set[str]]:
    """Return the exit code of a command in a process of its own, its lines, its errors, and what it imported."""
    command = [sys.executable, "-c", SCRIPT, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    *lines, last = done.stdout.splitlines()
    return done.returncode, lines, done.stderr, set(last.removeprefix("imported:").split())


def test_new(images):
    code, lines, errors, imported = answer_of("new", images, "--output", "mine.yaml")
    assert code == 0 and lines[-1] == "mine.yaml" and Path("mine.yaml").is_file(), errors
    assert not {"tensorflow", "keras", "matplotlib"} & imported


def test_check_of_data_that_do_not_fit(tiny_yaml):
    code, lines, errors, imported = answer_of("check", tiny_yaml, "--set", "training.batch_size=5000")
    assert code == 2 and "5000 is more than the" in errors
    assert not any("building the model" in line for line in lines)
    assert not {"tensorflow", "keras", "matplotlib"} & imported


def test_check_reports_the_data_before_it_builds_the_model(cli, tiny_yaml):
    lines = cli("check", tiny_yaml).out.splitlines()
    data, building, model = (
        next(i for i, line in enumerate(lines) if text in line)
        for text in (" classes, ", "building the model, with TensorFlow", "FLOPs for one image")
    )
    assert data < building < model


def test_compare(finished_runs, tmp_path):
    shutil.copytree(finished_runs, tmp_path / "finished")
    runs = tmp_path / "finished" / "runs"
    code, lines, errors, imported = answer_of("compare", runs / "tiny" / "1", runs / "tiny" / "2")
    assert code == 0 and lines[-1] == "comparison.html" and Path("comparison.html").is_file(), errors
    assert not {"tensorflow", "keras"} & imported


@pytest.mark.parametrize("part", [0.1, 0.13, 0.25])
def test_a_class_with_plenty_of_images_is_in_every_split(part):
    """So `new` need not make the splits, which imports scikit-learn, to know that none lacks a class."""
    smallest = int(np.ceil(PLENTY / part))
    labels = np.repeat(np.arange(4), [smallest, smallest + 1, 2 * smallest, 7 * smallest])
    for _ in ("test", "validation"):
        kept, out = hold_out(labels, None, part, SPLIT_SEED, "data.test")
        assert set(labels[out]) == set(range(4))
        labels = labels[kept]
