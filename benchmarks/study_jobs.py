"""How long a study of eight equal runs takes with two jobs, against one job that has both cores.

    python benchmarks/study_jobs.py [--pairs 1]

Each side is the whole command in a process of its own: start, data, training, evaluation, reports and the study's page. A
ratio below 1 says that two jobs are faster. The two sides take turns, and the median of the pairs counts.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

STUDY = """
data: {source: mnist, offline: digits, labels: {at_most: 6000}}
model: {name: cnn, blocks: [{filters: 16, pool: 2}, {filters: 32, pool: 2}], head: {units: [64]}}
training: {epochs: 5, batch_size: 100}
seeds: [0, 1, 2, 3, 4, 5, 6, 7]
"""


def seconds(jobs: int) -> float:
    """Return how long the study takes from nothing."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "study.yaml").write_text(STUDY)
        command = [sys.executable, "-m", "kerasexp", "run", "study.yaml", "--jobs", str(jobs)]
        start = time.perf_counter()
        subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
        return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=1, help="how often each side is timed")
    ratios = []
    for _ in range(parser.parse_args().pairs):
        one, two = seconds(1), seconds(2)
        ratios.append(two / one)
        print(f"one job {one:.1f} s, two jobs {two:.1f} s: {ratios[-1]:.3f}", flush=True)
    print(f"two jobs take {statistics.median(ratios):.3f} of the time of one")


if __name__ == "__main__":
    main()
