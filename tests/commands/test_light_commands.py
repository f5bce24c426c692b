"""Commands that need no TensorFlow import none: their answer comes in a moment."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

SCRIPT = """
import sys
from kerasexp.cli import main
code = 0
try:
    main()
except SystemExit as end:
    code = end.code
print('imported:', *sorted({'tensorflow', 'keras', 'sklearn', 'scipy.stats', 'matplotlib'} & sys.modules.keys()))
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
    assert not imported


def test_check_of_data_that_do_not_fit(tiny_yaml):
    code, lines, errors, imported = answer_of("check", tiny_yaml, "--set", "training.batch_size=5000")
    assert code == 2 and "5000 is more than the" in errors
    assert not any("building the model" in line for line in lines)
    assert not imported


def test_check_reports_the_data_before_it_builds_the_model(cli, tiny_yaml):
    lines = cli("check", tiny_yaml).out.splitlines()
    data, building, model = (
        next(i for i, line in enumerate(lines) if text in line)
        for text in (" classes, ", "building the model, with TensorFlow", "FLOPs for one image")
    )
    assert data < building < model


def test_a_first_look(images):
    code, lines, errors, imported = answer_of("diagnose", images, "--look-only")
    assert code == 0 and "splits:" in lines, errors
    assert not imported


def test_compare(finished_runs, tmp_path):
    shutil.copytree(finished_runs, tmp_path / "finished")
    runs = tmp_path / "finished" / "runs"
    code, lines, errors, imported = answer_of("compare", runs / "tiny" / "1", runs / "tiny" / "2")
    assert code == 0 and lines[-1] == "comparison.html" and Path("comparison.html").is_file(), errors
    assert imported <= {"matplotlib"}
    code, _, errors, imported = answer_of("compare", runs / "tiny" / "1", runs / "tiny" / "3")
    assert code == 2 and "3" in errors and not imported


@pytest.mark.parametrize("channels", [1, 3, 4], ids=["grey", "colour", "alpha"])
def test_check_of_large_png_files(channels, tmp_path):
    """Whatever their size, the usual PNG files are decoded without TensorFlow."""
    generator = np.random.default_rng(0)
    for name in ("a", "b"):
        (tmp_path / "scans" / name).mkdir(parents=True)
        for number in range(20):
            image = generator.integers(0, 256, (400, 500, channels), np.uint8)
            cv2.imwrite(str(tmp_path / "scans" / name / f"{number}.png"), image)
    assert answer_of("new", tmp_path / "scans", "--output", "scans.yaml")[0] == 0
    code, lines, errors, imported = answer_of("check", "scans.yaml", "--set", "training.batch_size=5000")
    assert code == 2 and any(" 2 classes, " in line for line in lines), errors
    assert not imported
