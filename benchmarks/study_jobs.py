"""The time of a study of eight equal runs with two jobs, against one job that uses both cores; and that of the MLP study.

    python benchmarks/study_jobs.py [--parts jobs mlp] [--pairs 5] [--write]

Each side is the whole command in its own process: start, data, training, evaluation, run reports and the page of the study. A
ratio below 1 means that two jobs are faster. The MLP study is experiments/mlp/mlp.yaml, 39 runs of small networks, which took
10.6 minutes in version 0.1.0.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from timing import parser, report_row, take_turns

ROOT = Path(__file__).resolve().parent.parent
OLD_MINUTES = 10.6
STUDY = """
data: {source: mnist, offline: digits, labels: {at_most: 6000}}
model: {name: cnn, blocks: [{filters: 16, pool: 2}, {filters: 32, pool: 2}], head: {units: [64]}}
training: {epochs: 5, batch_size: 100}
seeds: [0, 1, 2, 3, 4, 5, 6, 7]
"""


def seconds(jobs: int) -> float:
    """Return the time of the study in a new folder."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "study.yaml").write_text(STUDY)
        return _seconds("study.yaml", jobs, folder)


def _seconds(study: str, jobs: int, folder: str) -> float:
    command = [sys.executable, "-m", "kerasexp", "run", study, "--jobs", str(jobs)]
    start = time.perf_counter()
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    given = arguments.parse_args()
    for part in given.parts:
        PARTS[part](given)


def two_jobs(given) -> None:
    """Compare two jobs with one."""
    ratio = take_turns(lambda: seconds(2), lambda: seconds(1), given.pairs, name="one job")
    report_row(
        "a study of eight equal runs: two jobs / one",
        f"{ratio}: {ratio.ours:.0f} s, one job {ratio.theirs:.0f} s",
        ratio.median <= 1,
        "at most 1.0",
        "python benchmarks/study_jobs.py --parts jobs",
        given.write,
    )


def mlp_study(given) -> None:
    """Time the study of the MLP report once."""
    with tempfile.TemporaryDirectory() as folder:
        minutes = _seconds(str(ROOT / "experiments" / "mlp" / "mlp.yaml"), 2, folder) / 60
    report_row(
        "the MLP study, 39 runs, two jobs / version 0.1.0",
        f"{minutes / OLD_MINUTES:.2f}: {minutes:.1f} minutes, before {OLD_MINUTES}",
        minutes * 2 <= OLD_MINUTES,
        "at most 0.5",
        "python benchmarks/study_jobs.py --parts mlp",
        given.write,
    )


PARTS = {"jobs": two_jobs, "mlp": mlp_study}


if __name__ == "__main__":
    main()
