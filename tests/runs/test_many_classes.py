"""A run of many classes ends within bounds of time and memory."""

import csv
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

EXPERIMENT = """
data: {source: npz, path: many.npz, validation: 0.2, preprocessing: {size: [8, 8]}}
model: {name: mlp, units: [16]}
training: {epochs: 1, batch_size: 256}
"""
# Not `ru_maxrss`, which a process takes over from the one that started it.
SCRIPT = """
import sys
from pathlib import Path
from kerasexp.cli import main
sys.argv = ["kerasexp", "run", "many.yaml", "--run-dir", "run"]
try:
    main()
finally:
    print("MiB", int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) / 1024)
"""


@pytest.mark.slow
def test_1_100_classes_of_six_images_end_below_2_gib_with_every_plot(tmp_path):
    classes, generator = 1100, np.random.default_rng(0)
    images = {f"x_{split}": generator.integers(0, 256, (classes * each, 8, 8), np.uint8) for split, each in
              (("train", 5), ("test", 1))}  # fmt: skip
    labels = {"y_train": np.repeat(np.arange(classes), 5), "y_test": np.arange(classes)}
    np.savez("many.npz", **images, **labels)
    Path("many.yaml").write_text(EXPERIMENT)
    start = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert float(done.stdout.split("MiB")[1]) < 2048
    manifest = json.loads(Path("run/manifest.json").read_text())
    assert manifest["status"] == "finished" and "not_drawn" not in manifest
    assert manifest["times"]["report_seconds"] < 60 and time.monotonic() - start < 300
    metrics = json.loads(Path("run/metrics.json").read_text())
    assert len(metrics["test"]["per_class"]) == classes
    assert metrics["notes"] == [
        "confusion.csv lists only the filled cells; the plot of the matrix shows blocks of classes."
    ]
    rows = list(csv.DictReader(Path("run/confusion.csv").read_text().splitlines()))
    assert list(rows[0]) == ["true", "predicted", "images"] and sum(int(row["images"]) for row in rows) == classes
    page = Path("run/report.html").read_text()
    assert metrics["notes"][0] in page and "The table has the 1,000 of 1,100 classes with the lowest recall" in page
