"""How time and memory grow with pictures, classes and model size: at 1, 4 and 16 times as many, a whole `run` each.

    python benchmarks/growth.py [--pairs 3] [--write]

Pictures are 28x28 and random, from an npz file. Every run has a start of its own, which does not grow; the row says seconds at
16 times over seconds at 4 times, of which the start is the smaller part, and which is 4 where time grows as what is multiplied.
Peak memory is that of the process. The figure is docs/growth.png.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from timing import parser, told

ROOT = Path(__file__).resolve().parent.parent
TIMES = (1, 4, 16)
EXPERIMENT = """
data: {{source: npz, path: {path}, test: 0.1, validation: 0.1, preprocessing: {{size: [28, 28]}}}}
model: {{name: cnn, blocks: [{{filters: {filters}, pool: 2}}, {{filters: {filters}, pool: 2}}], head: {{units: [{units}]}}}}
training: {{epochs: 2, batch_size: 100}}
"""
# What grows -> (pictures, classes, filters, units) at so many times.
SETTINGS = {
    "pictures": lambda times: (5000 * times, 10, 8, 64),
    "classes": lambda times: (16_000, 10 * times, 8, 64),
    # Twice the filters and units are four times the parameters and operations.
    "model size": lambda times: (5000, 10, round(8 * times**0.5), round(64 * times**0.5)),
}


def main() -> None:
    given = parser(__doc__, pairs=3).parse_args()
    found: dict[str, list[tuple[float, float]]] = {}
    for what, setting in SETTINGS.items():
        goes = [[go(*setting(times)) for times in TIMES] for _ in range(given.pairs)]
        found[what] = [tuple(map(statistics.median, zip(*at, strict=True))) for at in zip(*goes, strict=True)]
        seconds, memory = zip(*found[what], strict=True)
        growth = seconds[2] / seconds[1]
        told(
            f"{what}: time of a run at 16x / at 4x",
            f"{growth:.2f} ({given.pairs} goes): {' '.join(f'{s:.1f}' for s in seconds)} s and "
            f"{' '.join(f'{m:.0f}' for m in memory)} MiB at 1x, 4x, 16x",
            growth <= 4,
            "at most 4, which is linear",
            "python benchmarks/growth.py",
            given.write,
        )
    draw(found)


def go(pictures: int, classes: int, filters: int, units: int) -> tuple[float, float]:
    """Return the seconds and the peak memory in MiB of one run."""
    import numpy as np

    generator = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        images = generator.integers(0, 256, (pictures, 28, 28), np.uint8)
        np.savez(f"{folder}/pictures.npz", x_train=images, y_train=np.arange(pictures) % classes)
        text = EXPERIMENT.format(path=f"{folder}/pictures.npz", filters=filters, units=units)
        Path(folder, "growth.yaml").write_text(text)
        command = [sys.executable, "-m", "kerasexp", "run", f"{folder}/growth.yaml", "--run-dir", f"{folder}/run"]
        start = time.perf_counter()
        environment = {**os.environ, "KERASEXP_CACHE": f"{folder}/cache"}
        process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
        _, status, used = os.wait4(process.pid, 0)
        if status:
            sys.exit(f"the run failed: {' '.join(command)}")
        seconds = time.perf_counter() - start
    print(
        f"  {pictures} pictures, {classes} classes, {filters} filters: {seconds:.1f} s, {used.ru_maxrss / 1024:.0f} MiB"
    )
    return seconds, used.ru_maxrss / 1024


def draw(found: dict[str, list[tuple[float, float]]]) -> None:
    """Draw seconds and memory over how many times as much there is."""
    from kerasexp.plots.style import new_figure

    figure, (left, right) = new_figure(9, 3.6, columns=2)
    for what, values in found.items():
        seconds, memory = zip(*values, strict=True)
        left.plot(TIMES, seconds, marker="o", label=what)
        right.plot(TIMES, memory, marker="o", label=what)
    for axes, name in ((left, "seconds of the whole run"), (right, "peak memory in MiB")):
        axes.set(xlabel="times as many", ylabel=name, xticks=TIMES, ylim=(0, 1.08 * axes.get_ylim()[1]))
    left.legend()
    figure.savefig(ROOT / "docs" / "growth.png", dpi=120)


if __name__ == "__main__":
    main()
