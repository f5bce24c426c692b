"""The time of a study of eight equal runs with two jobs, against one job that uses both cores; and that of the MLP study.

    git worktree add --detach ../kerasexp-0.1 0371cc1
    python benchmarks/study_jobs.py [--pairs 5] [--write]
    python benchmarks/study_jobs.py --parts mlp --before ../kerasexp-0.1 [--pairs 5] [--write]

Each side is the whole command in its own process: start, data, training, evaluation, run reports and the page of the study. A
ratio below 1 means that two jobs are faster. The MLP study is experiments/mlp/mlp.yaml, 39 runs of small networks, with the
code as it is and with that of `--before`, a checkout of version 0.1.0. A pair of these takes a quarter of an hour.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from timing import parser, report_row, take_turns

ROOT = Path(__file__).resolve().parent.parent
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


def _seconds(study: str, jobs: int, folder: str, code: Path = ROOT) -> float:
    command = [sys.executable, "-m", "kerasexp", "run", study, "--jobs", str(jobs)]
    # This code is imported, not what is installed.
    environment = os.environ | {"PYTHONPATH": str(code)}
    start = time.perf_counter()
    subprocess.run(command, cwd=folder, env=environment, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--parts", nargs="+", choices=PARTS, default=["jobs"])
    arguments.add_argument(
        "--before", type=Path, metavar="FOLDER", help="a checkout of version 0.1.0, which the part mlp needs"
    )
    given = arguments.parse_args()
    if "mlp" in given.parts and given.before is None:
        arguments.error("the part mlp needs --before FOLDER: git worktree add --detach ../kerasexp-0.1 0371cc1")
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
    """Compare the study of the MLP report with the same in version 0.1.0."""
    before = given.before.resolve()
    ratio = take_turns(lambda: mlp_minutes(ROOT), lambda: mlp_minutes(before), given.pairs, "min", "version 0.1.0")
    report_row(
        "the MLP study, 39 runs, two jobs / version 0.1.0",
        f"{ratio}: {ratio.ours:.1f} minutes, before {ratio.theirs:.1f}",
        ratio.median <= 0.5,
        "at most 0.5",
        "python benchmarks/study_jobs.py --parts mlp --before ../kerasexp-0.1",
        given.write,
    )


def mlp_minutes(code: Path) -> float:
    """Return the minutes of the MLP study with the code of a checkout."""
    with tempfile.TemporaryDirectory() as folder:
        return _seconds(str(code / "experiments" / "mlp" / "mlp.yaml"), 2, folder, code) / 60


PARTS = {"jobs": two_jobs, "mlp": mlp_study}


if __name__ == "__main__":
    main()
