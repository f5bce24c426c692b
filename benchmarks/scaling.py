"""What grows when there is more of everything: images, runs in a folder, trials of a search, runs of a study.

    python benchmarks/scaling.py [--parts images runs trials studies] [--write]

- images: a whole run of one epoch with `cache: none` on 1, 4, 16 and 64 times 2,500 JPEG files of 256x256.
- runs: `runs list` and a whole small `run` in a folder of 1 to 1,000 runs.
- trials: what the search itself adds to each trial, with trials that end at once: the 1st to the 500th. Of a Bayesian search, all
  but the last few are proposed at random, as the model fits and searches anew for each of the others.
- studies: what the study itself adds to each run, with runs that end at once: 10 to 1,000 runs.

Each row has the time at each number; docs/scaling.md computes from them what a cluster can do.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from large_source import make_source, train
from timing import parser, report_row

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))
IMAGES, RUNS, TRIALS, STUDIES = (2_500, 10_000, 40_000, 160_000), (1, 10, 100, 1000), (1, 10, 100, 500), (10, 100, 1000)
# Trials whose mean is taken.
AVERAGED = 8
SEARCH = """
data: digits
model: {{name: cnn, blocks: [{{filters: {{int: [4, 64]}}}}], head: {{dropout: {{float: [0, 0.5]}}}}}}
training: {{epochs: 27, optimizer: {{learning_rate: {{float: [0.0001, 0.1], sampling: log}}}}}}
search: {{algorithm: {algorithm}, max_trials: {trials}{initial}, confirm: []}}
"""
TINY = "data: digits\nmodel: {name: mlp, units: [8]}\ntraining: {epochs: 1}\nreport: {plots: false}\n"


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    given = arguments.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    for part in given.parts:
        PARTS[part](given)


def report(what: str, found: dict[int, str], part: str, given) -> None:
    """Report one row: a result at each number."""
    measured = "; ".join(f"{number:,}: {result}" for number, result in found.items())
    report_row(what, measured, None, "stated", f"python benchmarks/scaling.py --parts {part}", given.write)


def of_images(given) -> None:
    """Time whole runs on more and more files."""
    found = {}
    for count in IMAGES:
        with tempfile.TemporaryDirectory() as folder:
            make_source(Path(folder) / "images", count)
            begun = time.perf_counter()
            peak, _ = train(Path(folder))
            seconds = time.perf_counter() - begun
        found[count] = f"{seconds:.1f} s, {peak:.0f} MiB"
        print(f"  {count:,} images: {found[count]}", flush=True)
    report("a run of one epoch with cache: none, by images", found, "images", given)


def of_runs(given) -> None:
    """Time commands in a folder of more and more runs."""
    from many_runs import write_runs

    for command in (["runs", "list", "--sort", "-test.accuracy"], ["run", "tiny.yaml"]):
        found = {}
        for count in RUNS:
            with tempfile.TemporaryDirectory() as folder:
                write_runs(Path(folder) / "runs", count)
                Path(folder, "tiny.yaml").write_text(TINY)
                environment = {**os.environ, "KERASEXP_CACHE": f"{folder}/cache"}
                times = [_command_seconds(command, folder, environment) for _ in range(given.pairs + 1)]
            # The first makes the index.
            found[count] = f"{statistics.median(times[1:]):.2f} s (first {times[0]:.2f} s)"
            print(f"  {' '.join(command)}, {count:,} runs: {found[count]}", flush=True)
        report(f"the command `{command[0]}`, by runs in the folder", found, "runs", given)


def _command_seconds(command: list[str], folder: str, environment: dict[str, str]) -> float:
    begun = time.perf_counter()
    whole = [sys.executable, "-m", "kerasexp", *command]
    subprocess.run(whole, cwd=folder, env=environment, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - begun


def of_trials(given) -> None:
    """Time what a search adds to its trials."""
    for algorithm in ("random", "bayesian"):
        found = {number: f"{1000 * search_seconds(algorithm, number):.1f} ms" for number in TRIALS}
        report(f"what {algorithm} search adds to a trial, by trials so far", found, "trials", given)


def of_studies(given) -> None:
    """Time what a study adds to its runs."""
    found = {count: f"{1000 * study_seconds(count):.1f} ms" for count in STUDIES}
    report("what a study adds to a run, by runs", found, "studies", given)


PARTS: dict[str, Callable] = {"images": of_images, "runs": of_runs, "trials": of_trials, "studies": of_studies}


class Instant:
    """An executor whose tasks end at once: `work` leaves what a run would leave."""

    def __init__(self, work: Callable):
        self._work, self._task, self.ends = work, None, [time.perf_counter()]

    @property
    def free_slots(self) -> int:
        return 0 if self._task else 1

    def start(self, task) -> None:
        self._task = task

    def wait_for_one(self):
        from kerasexp.executors.tasks import TaskResult

        task, self._task = self._task, None
        begun = time.perf_counter()
        self._work(task)
        # The work is not the search's, nor the study's.
        self.ends = [end + time.perf_counter() - begun for end in self.ends]
        self.ends.append(time.perf_counter())
        return TaskResult(task)


def search_seconds(algorithm: str, trials: int) -> float:
    """Return the seconds that a search adds to a trial after so many."""
    from kerasexp.backend import import_tensorflow

    import_tensorflow()
    from many_runs import write_run

    from kerasexp.config import load
    from kerasexp.console import QuietConsole
    from kerasexp.search.directory import SearchDirectory
    from kerasexp.search.trial_scheduler import TrialScheduler

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "search.yaml"
        initial = f", initial: {max(trials, 2)}" if algorithm == "bayesian" else ""
        path.write_text(SEARCH.format(algorithm=algorithm, trials=trials + AVERAGED, initial=initial))
        search = load(path)
        directory = SearchDirectory.create(search, Path(folder) / "run")
        executor = Instant(lambda task: write_run(task.folder, int(task.name)))
        TrialScheduler(search, directory, QuietConsole()).run(executor)
        return (executor.ends[-1] - executor.ends[-1 - AVERAGED]) / AVERAGED


def study_seconds(count: int, seeds: int = 10) -> float:
    """Return the seconds that a study of so many runs adds to each."""
    from kerasexp.backend import import_tensorflow

    import_tensorflow()
    from kerasexp.config import load
    from kerasexp.console import QuietConsole
    from kerasexp.studies import run as studies

    with tempfile.TemporaryDirectory() as folder:
        example = Path(folder, "example")
        Path(folder, "tiny.yaml").write_text(TINY)
        command = [sys.executable, "-m", "kerasexp", "run", "tiny.yaml", "--run-dir", str(example)]
        subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
        for unneeded in ("checkpoint", "state", "tensorboard"):
            shutil.rmtree(example / unneeded, ignore_errors=True)
        variants = "".join(f"  v{number}: {{training.batch_size: {number + 2}}}\n" for number in range(count // seeds))
        Path(folder, "study.yaml").write_text(f"base: tiny.yaml\nseeds: {list(range(seeds))}\nvariants:\n{variants}")
        study = load(Path(folder, "study.yaml"))
        directory = studies.StudyDirectory.find_or_create(study.name, "key", Path(folder) / "run")
        executor = Instant(lambda task: shutil.copytree(example, task.folder))
        progress = studies._StudyProgress(study, directory, ())
        progress.run(executor, QuietConsole())
        return (executor.ends[-1] - executor.ends[0]) / count


if __name__ == "__main__":
    main()
