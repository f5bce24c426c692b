"""Training on images that outgrow a disk once they are decoded: `data.cache: none` on many JPEG files, and its peak memory.

The files are hard links to a few hundred drawn photographs of 256x256, so that 200,000 of them take little space and time. They
are decoded, downsampled to 64x64 and cropped in every epoch. Prints images per second of an epoch and the peak memory of the
whole run, which is to stay below 1.5 GB.

    python benchmarks/large_source.py --images 200000
"""

from __future__ import annotations

import argparse
import csv
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np

SIDE, DISTINCT = 256, 300
EXPERIMENT = """
data:
  source: image_folder
  path: images
  cache: none
  preprocessing: {size: [64, 64], channels: 3}
  augmentation: {crop: {}, flip: true}
model: {name: cnn, blocks: [{filters: 8, stride: 4}, {filters: 16, pool: 2}], pooling: average}
training: {epochs: 1, batch_size: 100, optimizer: {learning_rate: 0.01}}
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=200_000, help="how many files")
    parser.add_argument("--folder", type=Path, help="where to make them and to train; default: a temporary folder")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.folder or Path(temporary)
        start = time.perf_counter()
        make_source(folder / "images", given.images)
        print(f"{given.images:,} files made in {time.perf_counter() - start:.0f} s")
        peak, log = train(folder)
        print(log)
        seconds = float(next(csv.DictReader((folder / "run" / "history.csv").open()))["seconds"])
        print(f"{given.images:,} images, 0.81 of them for training: an epoch of {seconds:.0f} s, peak {peak:.0f} MiB")


def make_source(folder: Path, count: int) -> None:
    """Make JPEG files of 256x256 in two classes, `blue` and `red`; each is one of a few hundred drawings."""
    for name in ("blue", "red"):
        (folder / name).mkdir(parents=True)
    originals = folder.parent / "drawings"
    originals.mkdir()
    generator = np.random.default_rng(0)
    for number in range(min(DISTINCT, count)):
        coarse = generator.integers(0, 256, (16, 16, 3)).astype(np.uint8)
        drawing = cv2.resize(coarse, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
        noisy = np.clip(drawing + generator.normal(0, 8, drawing.shape), 0, 255)
        noisy[..., 0 if number % 2 else 2] *= 0.3
        cv2.imwrite(str(originals / f"{number}.jpg"), noisy.astype(np.uint8))
    for number in range(count):
        drawing = number % DISTINCT
        os.link(originals / f"{drawing}.jpg", folder / ("red", "blue")[drawing % 2] / f"{number:07d}.jpg")


def train(folder: Path) -> tuple[float, str]:
    """Train on `images` in this folder, in a process of its own; return its peak memory in MiB, and what it printed.

    Raises:
        RuntimeError: the run failed.
    """
    (folder / "large.yaml").write_text(EXPERIMENT)
    command = [sys.executable, "-m", "kerasexp", "run", "large.yaml", "--run-dir", "run"]
    environment = {**os.environ, "KERASEXP_CACHE": str(folder / "cache")}
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)
        peak = 0
        while process.poll() is None:
            # Not `ru_maxrss`, which counts what the process had before it became another program.
            status = Path(f"/proc/{process.pid}/status").read_text()
            peak = max([peak, *(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:"))])
            time.sleep(0.05)
    log = (folder / "log").read_text()
    if process.returncode:
        raise RuntimeError(log)
    return peak / 1024, log


if __name__ == "__main__":
    main()
