"""Growth of time and memory with images, classes, model size, trials and jobs: at 1, 4 and 16 times as many.

    python benchmarks/growth.py [--pairs 5] [--write]

The images are random, 28x28, in an npz file. Each measurement is a whole `run` or `search` with its start-up, which does not
grow. A row gives the time at 16x divided by the time at 4x, where start-up is the smaller part; linear growth gives 4. Jobs
distribute the same 16 trials over the cores: the time should fall until each core has a job, and then not rise. Memory is
the peak over all processes of a measurement together, with shared pages counted once. The plot is docs/growth.png.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from timing import Ratio, parser, report_row

ROOT = Path(__file__).resolve().parent.parent
TIMES = (1, 4, 16)
SAMPLING_SECONDS = 0.2  # between two measurements of the memory
RUN = """
data: {{source: npz, path: images.npz, test: 0.1, validation: 0.1, preprocessing: {{size: [28, 28]}}}}
model: {{name: cnn, blocks: [{{filters: {filters}, pool: 2}}, {{filters: {filters}, pool: 2}}], head: {{units: [{units}]}}}}
training: {{epochs: {epochs}, batch_size: 100{rate}}}
"""
RATE = ", optimizer: {learning_rate: {float: [0.0003, 0.01], sampling: log}}"
SEARCH = "search: {{algorithm: random, max_trials: {trials}, confirm: []}}\n"


def run(images: int = 5000, classes: int = 10, filters: int = 8, units: int = 64) -> tuple[str, int, int, list[str]]:
    """Return a run: its YAML, the number of images and of classes, and the command."""
    return RUN.format(filters=filters, units=units, epochs=2, rate=""), images, classes, ["run"]


def search(trials: int, jobs: int = 1) -> tuple[str, int, int, list[str]]:
    """Return a search in the same form; each trial trains for one epoch of 2,000 images."""
    text = RUN.format(filters=8, units=64, epochs=1, rate=RATE) + SEARCH.format(trials=trials)
    return text, 2000, 10, ["search", "--jobs", str(jobs)]


# What grows -> the measurement at a multiple, and the largest allowed ratio of the times at 16x and 4x.
SETTINGS: dict[str, tuple[Callable[[int], tuple], float]] = {
    "images": (lambda times: run(images=5000 * times), 4),
    "classes": (lambda times: run(images=16_000, classes=10 * times), 4),
    # Twice the filters and units give four times the parameters and operations.
    "model size": (lambda times: run(filters=round(8 * times**0.5), units=round(64 * times**0.5)), 4),
    "trials": (lambda times: search(trials=2 * times), 4),
    "jobs": (lambda times: search(trials=16, jobs=times), 1.5),
}
AIMS = {4: "at most 4, which is linear", 1.5: "at most 1.5: all cores are in use, and each process has a start-up"}


def main() -> None:
    given = parser(__doc__).parse_args()
    found: dict[str, list[tuple[float, float]]] = {}
    for what, (setting, limit) in SETTINGS.items():
        measurements = []
        for pair in range(given.pairs):
            turns = TIMES if pair % 2 == 0 else TIMES[::-1]
            measurements.append({times: measure(what, *setting(times)) for times in turns})
        found[what] = [
            tuple(map(statistics.median, zip(*(each[t] for each in measurements), strict=True))) for t in TIMES
        ]
        seconds, memory = zip(*found[what], strict=True)
        growth = Ratio.of([(each[16][0], each[4][0]) for each in measurements])
        report_row(
            f"{what}: time of a run at 16x / at 4x",
            f"{growth}: {' '.join(f'{s:.1f}' for s in seconds)} s and "
            f"{' '.join(f'{m:.0f}' for m in memory)} MiB at 1x, 4x, 16x",
            growth.median <= limit,
            AIMS[limit],
            "python benchmarks/growth.py",
            given.write,
        )
    if given.write:  # the plot is of the same measurements as the rows
        draw(found)


def measure(what: str, text: str, images: int, classes: int, command: list[str]) -> tuple[float, float]:
    """Return the seconds and the peak memory, in MiB, of one command."""
    import numpy as np

    generator = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        content = generator.integers(0, 256, (images, 28, 28), np.uint8)
        np.savez(f"{folder}/images.npz", x_train=content, y_train=np.arange(images) % classes)
        Path(folder, "growth.yaml").write_text(text)
        name, *options = command
        whole = [
            sys.executable,
            "-m",
            "kerasexp",
            name,
            f"{folder}/growth.yaml",
            "--run-dir",
            f"{folder}/run",
            *options,
        ]
        start = time.perf_counter()
        environment = {**os.environ, "KERASEXP_CACHE": f"{folder}/cache"}
        process = subprocess.Popen(whole, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        peak = Peak(process.pid)
        if process.wait():
            sys.exit(f"failed: {' '.join(whole)}")
        seconds, memory = time.perf_counter() - start, peak.stop()
    print(
        f"  {what}, {images} images, {classes} classes, {' '.join(command)}: {seconds:.1f} s, {memory:.0f} MiB",
        flush=True,
    )
    return seconds, memory


class Peak(threading.Thread):
    """Peak memory of a process and its descendants, in MiB, sampled regularly."""

    def __init__(self, pid: int):
        super().__init__(daemon=True)
        self._pid, self._highest, self._ended = pid, 0.0, threading.Event()
        self.start()

    def run(self) -> None:
        while not self._ended.wait(SAMPLING_SECONDS):
            self._highest = max(self._highest, sum(map(memory_of, process_tree(self._pid))))

    def stop(self) -> float:
        self._ended.set()
        self.join()
        return self._highest


def process_tree(pid: int) -> list[int]:
    """Return the ids of a process and its descendants."""
    found = [pid]
    for parent in found:
        for children in Path(f"/proc/{parent}/task").glob("*/children"):
            with suppress(OSError):  # the process has ended
                found += map(int, children.read_text().split())
    return found


def memory_of(pid: int) -> float:
    """Return the memory of a process in MiB, with its share of shared pages (PSS)."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0  # the process has ended
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


def draw(found: dict[str, list[tuple[float, float]]]) -> None:
    """Plot seconds and memory over the multiple."""
    from kerasexp.plots.style import new_figure

    figure, (left, right) = new_figure(9, 3.6, columns=2)
    for what, values in found.items():
        seconds, memory = zip(*values, strict=True)
        left.plot(TIMES, seconds, marker="o", label=what)
        right.plot(TIMES, memory, marker="o", label=what)
    for axes, name in ((left, "seconds of the whole run or search"), (right, "peak memory in MiB")):
        axes.set(xlabel="multiple of the smallest", ylabel=name, xticks=TIMES, ylim=(0, 1.08 * axes.get_ylim()[1]))
    left.legend()
    figure.savefig(ROOT / "docs" / "growth.png", dpi=120)


if __name__ == "__main__":
    main()
