"""Seconds and memory of what follows training, at 10 to 10,000 classes and at 1,000,000 predictions.

    python benchmarks/many_classes.py [--sizes 10 100] [--write]

Each size is one `run` in a process of its own, on generated images of 8x8 with six images of each class (of few classes 100), and
a small MLP that is trained for one epoch. Evaluation is the pass over val and test with metrics, predictions.csv and
confusion.csv; diagnosis is what the page shows beside them (labels, duplicates, Grad-CAM, t-SNE); report is the drawing. Memory
is the peak of the process from its start to its end, TensorFlow and training included.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from timing import parser, report_row

# Name -> classes, train images of each class, test images of each class, limits of memory in GiB and of the report in seconds.
SIZES = {
    "10": (10, 80, 20, 2, 60),
    "100": (100, 80, 20, 2, 60),
    "1000": (1000, 5, 1, 2, 60),
    "1100": (1100, 5, 1, 2, 60),
    "10000": (10_000, 5, 1, 4, 60),
    "million": (10, 1000, 100_000, 4, 60),
}
EXPERIMENT = """
name: many
data: {source: npz, path: many.npz, validation: 0.2, preprocessing: {size: [8, 8]}}
model: {name: mlp, units: [16]}
training: {epochs: 1, batch_size: 256}
"""


def main() -> None:
    made = parser(__doc__)
    made.add_argument("--sizes", nargs="+", default=list(SIZES), choices=list(SIZES), help="what to measure")
    made.add_argument("--inside", help="measure one size in this process; used by the benchmark itself")
    given = made.parse_args()
    if given.inside is not None:
        print(json.dumps(measure(given.inside)))
        return
    for name in given.sizes:
        classes, _, each, memory, seconds = SIZES[name]
        done = subprocess.run(
            [sys.executable, __file__, "--inside", name],
            capture_output=True,
            text=True,
            env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
        )
        if done.returncode:
            sys.exit(f"failed at {name}: {done.stderr[-2000:]}")
        found = json.loads(done.stdout.splitlines()[-1])
        report_row(
            f"{classes:,} classes, {classes * each:,} predictions of test: evaluation, diagnosis, report",
            f"{found['evaluation']:.1f} s, {found['diagnosis']:.1f} s, {found['report']:.1f} s; {found['gib']:.2f} GiB; page of "
            f"{found['page']:.1f} MiB",
            found["gib"] <= memory and found["report"] <= seconds,
            f"at most {memory} GiB, report {seconds} s",
            f"python benchmarks/many_classes.py --sizes {name}",
            given.write,
        )


def measure(name: str) -> dict[str, float]:
    """Run one size in this process, and return the seconds of each part, the peak memory in GiB and the page's size in MiB."""
    import resource

    import numpy as np

    from kerasexp.backend import import_tensorflow

    import_tensorflow()
    from kerasexp.config import load_experiment
    from kerasexp.console import QuietConsole
    from kerasexp.runs import page, run_metrics
    from kerasexp.runs.run import run_experiment
    from kerasexp.runs.run_request import RunRequest

    seconds = {}

    def timed(module, function: str) -> None:
        original = getattr(module, function)

        def call(*arguments, **options):
            start = time.perf_counter()
            try:
                return original(*arguments, **options)
            finally:
                seconds[function] = time.perf_counter() - start

        setattr(module, function, call)

    for module, function in ((run_metrics, "evaluate"), (run_metrics, "compute_results"), (page, "write_report")):
        timed(module, function)
    classes, train, test, *_ = SIZES[name]
    generator = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["KERASEXP_CACHE"] = f"{folder}/cache"
        content = {
            f"{kind}_{split}": values
            for split, each in (("train", train), ("test", test))
            for kind, values in (
                ("x", generator.integers(0, 256, (classes * each, 8, 8), np.uint8)),
                ("y", np.repeat(np.arange(classes), each)),
            )
        }
        np.savez(f"{folder}/many.npz", **content)
        Path(folder, "many.yaml").write_text(EXPERIMENT)
        experiment = load_experiment(Path(folder, "many.yaml"))
        run = run_experiment(RunRequest(experiment, Path(folder, "run")), QuietConsole())
        size = run.report.stat().st_size / 2**20
        if failed := run.read_manifest().get("not_drawn"):
            sys.exit(f"not drawn: {failed}")
    return {
        "evaluation": seconds["evaluate"] - seconds["compute_results"],
        "diagnosis": seconds["compute_results"],
        "report": seconds["write_report"],
        "gib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
        "page": size,
    }


if __name__ == "__main__":
    main()
