"""How time and memory grow with images, classes, model size, trials and jobs: at 1, 4 and 16 times as many.

    python benchmarks/growth.py [--pairs 5] [--write]

Images are 28x28 and random, from an npz file. Each go is a whole `run`, or `search`, and has a start of its own, which does
not grow; a row says seconds at 16 times over seconds at 4 times, of which the start is the smaller part, and which is 4 where
time grows as what is multiplied. Jobs share out the machine's cores among the same 16 trials, so that their time falls until
each core has one, and should not rise then. Memory is the peak of what all processes of a go hold together, shared pages
counted once. The figure is docs/growth.png.
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

from timing import Ratio, parser, told

ROOT = Path(__file__).resolve().parent.parent
TIMES = (1, 4, 16)
LOOK = 0.2  # seconds between two looks at the memory
RUN = """
data: {{source: npz, path: images.npz, test: 0.1, validation: 0.1, preprocessing: {{size: [28, 28]}}}}
model: {{name: cnn, blocks: [{{filters: {filters}, pool: 2}}, {{filters: {filters}, pool: 2}}], head: {{units: [{units}]}}}}
training: {{epochs: {epochs}, batch_size: 100{rate}}}
"""
RATE = ", optimizer: {learning_rate: {float: [0.0003, 0.01], sampling: log}}"
SEARCH = "search: {{algorithm: random, max_trials: {trials}, confirm: []}}\n"


def run(images: int = 5000, classes: int = 10, filters: int = 8, units: int = 64) -> tuple[str, int, int, list[str]]:
    """Return a run: its YAML, how many images of how many classes, and the command."""
    return RUN.format(filters=filters, units=units, epochs=2, rate=""), images, classes, ["run"]


def search(trials: int, jobs: int = 1) -> tuple[str, int, int, list[str]]:
    """Return a search as `run` does, of trials that each train for one epoch of 2,000 images."""
    text = RUN.format(filters=8, units=64, epochs=1, rate=RATE) + SEARCH.format(trials=trials)
    return text, 2000, 10, ["search", "--jobs", str(jobs)]


# What grows -> what is done at so many times as many; and how many times as long it may take at 16 as at 4.
SETTINGS: dict[str, tuple[Callable[[int], tuple], float]] = {
    "images": (lambda times: run(images=5000 * times), 4),
    "classes": (lambda times: run(images=16_000, classes=10 * times), 4),
    # Twice the filters and units are four times the parameters and operations.
    "model size": (lambda times: run(filters=round(8 * times**0.5), units=round(64 * times**0.5)), 4),
    "trials": (lambda times: search(trials=2 * times), 4),
    "jobs": (lambda times: search(trials=16, jobs=times), 1.5),
}
AIMS = {4: "at most 4, which is linear", 1.5: "at most 1.5: there are no more cores, and each process has a start"}


def main() -> None:
    given = parser(__doc__).parse_args()
    found: dict[str, list[tuple[float, float]]] = {}
    for what, (setting, most) in SETTINGS.items():
        goes = []
        for pair in range(given.pairs):
            turns = TIMES if pair % 2 == 0 else TIMES[::-1]
            goes.append({times: go(what, *setting(times)) for times in turns})
        found[what] = [tuple(map(statistics.median, zip(*(each[t] for each in goes), strict=True))) for t in TIMES]
        seconds, memory = zip(*found[what], strict=True)
        growth = Ratio.of([(each[16][0], each[4][0]) for each in goes])
        told(
            f"{what}: time of a run at 16x / at 4x",
            f"{growth}: {' '.join(f'{s:.1f}' for s in seconds)} s and "
            f"{' '.join(f'{m:.0f}' for m in memory)} MiB at 1x, 4x, 16x",
            growth.median <= most,
            AIMS[most],
            "python benchmarks/growth.py",
            given.write,
        )
    draw(found)


def go(what: str, text: str, images: int, classes: int, command: list[str]) -> tuple[float, float]:
    """Return the seconds and the peak memory in MiB of one go."""
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
            sys.exit(f"it failed: {' '.join(whole)}")
        seconds, memory = time.perf_counter() - start, peak.stop()
    print(
        f"  {what}, {images} images, {classes} classes, {' '.join(command)}: {seconds:.1f} s, {memory:.0f} MiB",
        flush=True,
    )
    return seconds, memory


class Peak(threading.Thread):
    """The highest memory of a process and of all that it has started, in MiB, as seen every moment."""

    def __init__(self, pid: int):
        super().__init__(daemon=True)
        self._pid, self._highest, self._ended = pid, 0.0, threading.Event()
        self.start()

    def run(self) -> None:
        while not self._ended.wait(LOOK):
            self._highest = max(self._highest, sum(map(held, family(self._pid))))

    def stop(self) -> float:
        self._ended.set()
        self.join()
        return self._highest


def family(pid: int) -> list[int]:
    """Return a process and all that it has started."""
    found = [pid]
    for parent in found:
        for children in Path(f"/proc/{parent}/task").glob("*/children"):
            with suppress(OSError):  # it has ended
                found += map(int, children.read_text().split())
    return found


def held(pid: int) -> float:
    """Return the memory of a process in MiB, its part of what it shares with others."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0  # it has ended
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


def draw(found: dict[str, list[tuple[float, float]]]) -> None:
    """Draw seconds and memory over how many times as much there is."""
    from kerasexp.plots.style import new_figure

    figure, (left, right) = new_figure(9, 3.6, columns=2)
    for what, values in found.items():
        seconds, memory = zip(*values, strict=True)
        left.plot(TIMES, seconds, marker="o", label=what)
        right.plot(TIMES, memory, marker="o", label=what)
    for axes, name in ((left, "seconds of the whole run or search"), (right, "peak memory in MiB")):
        axes.set(xlabel="times as many", ylabel=name, xticks=TIMES, ylim=(0, 1.08 * axes.get_ylim()[1]))
    left.legend()
    figure.savefig(ROOT / "docs" / "growth.png", dpi=120)


if __name__ == "__main__":
    main()
