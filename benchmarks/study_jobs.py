"""The time of a study of eight equal runs with two jobs, against one job that uses both cores.

    python benchmarks/study_jobs.py [--pairs 5] [--write]

Each side is the whole command in its own process: start, data, training, evaluation, run reports and the page of the study. A
ratio below 1 means that two jobs are faster.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from timing import parser, report_row, take_turns

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
        command = [sys.executable, "-m", "kerasexp", "run", "study.yaml", "--jobs", str(jobs)]
        start = time.perf_counter()
        subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
        return time.perf_counter() - start


def main() -> None:
    given = parser(__doc__).parse_args()
    ratio = take_turns(lambda: seconds(2), lambda: seconds(1), given.pairs, name="one job")
    report_row(
        "a study of eight equal runs: two jobs / one",
        f"{ratio}: {ratio.ours:.0f} s, one job {ratio.theirs:.0f} s",
        ratio.median <= 1,
        "at most 1.0",
        "python benchmarks/study_jobs.py",
        given.write,
    )


if __name__ == "__main__":
    main()
