"""Time of evaluation and report, relative to training 3 epochs of MNIST, and with 62 and 200 classes relative to ten.

    python benchmarks/report_share.py [--pairs 5] [--parts share classes] [--write]

Each measurement is a whole `run`, with the times from its manifest: one pass over val and test, all metrics and plots, and the
page with the diagnosis of the data. `share` runs `experiments/part2_random.yaml`. `classes` evaluates as many random images as
MNIST has, 6,000 and 10,000, as only their number matters here.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from timing import Ratio, parser, report_row, take_turns

ROOT = Path(__file__).resolve().parent.parent
IMAGES = {"train": 4000, "val": 6000, "test": 10_000}
RUN = """
data: {source: npz, path: images.npz, preprocessing: {size: [28, 28]}}
model: {name: cnn, blocks: [{filters: 16, pool: 2}], head: {units: [64]}}
training: {epochs: 1, batch_size: 100}
"""
COMMAND = "python benchmarks/report_share.py"


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS), help="measurements to make")
    given = arguments.parse_args()
    for part in given.parts:
        PARTS[part](given)


def share(given) -> None:
    """Compare evaluation and report with the training."""
    found = []
    for _ in range(given.pairs):
        found.append(times(ROOT / "experiments" / "part2_random.yaml"))
        print(f"  evaluation and report {found[-1][0]:.1f} s, training {found[-1][1]:.1f} s", flush=True)
    ratio = Ratio.of(found)
    report_row(
        "evaluation and report / training of 3 epochs",
        f"{ratio}: {ratio.ours:.1f} s, training {ratio.theirs:.1f} s",
        ratio.median < 0.15,
        "under 0.15",
        f"{COMMAND} --parts share",
        given.write,
    )


def classes(given) -> None:
    """Compare evaluation and report of many classes with those of ten."""
    for count in (62, 200):
        ratio = take_turns(lambda count=count: of_random(count), lambda: of_random(10), given.pairs, name="10 classes")
        report_row(
            f"evaluation and report of {count} classes / of 10",
            f"{ratio}: {ratio.ours:.1f} s, 10 classes {ratio.theirs:.1f} s",
            ratio.median <= count / 10,
            f"at most {count / 10:g}, which is linear",
            f"{COMMAND} --parts classes",
            given.write,
        )


PARTS = {"share": share, "classes": classes}


def of_random(count: int) -> float:
    """Return the seconds of evaluation and report of a run on random images with this number of classes."""
    import numpy as np

    generator = np.random.default_rng(0)
    arrays = {}
    for split, images in IMAGES.items():
        arrays[f"x_{split}"] = generator.integers(0, 256, (images, 28, 28), np.uint8)
        arrays[f"y_{split}"] = np.arange(images) % count
    with tempfile.TemporaryDirectory() as folder:
        np.savez(f"{folder}/images.npz", **arrays)
        Path(folder, "random.yaml").write_text(RUN)
        return times(Path(folder, "random.yaml"))[0]


def times(experiment: Path) -> tuple[float, float]:
    """Return the seconds of evaluation and report, and those of the training, of one run."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "kerasexp", "run", str(experiment), "--run-dir", f"{folder}/run"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        found = json.loads(Path(folder, "run", "manifest.json").read_text())["times"]
    return found["evaluate_seconds"] + found["report_seconds"], found["train_seconds"]


if __name__ == "__main__":
    main()
