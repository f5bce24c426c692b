"""Training on more images than fit in memory: peak memory is bounded, whatever their number.

KERASEXP_FULL=1 trains on 100,000 images of 64x64 in colour, which are 1.2 GB; else on 25,000. Without a cache it trains on 200,000
JPEG files of 256x256, else on 3,000.
"""

import os
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest

FULL = bool(os.environ.get("KERASEXP_FULL"))
# In memory, with a copy for the splits and one of TensorFlow's, they alone would take 3.5 GB, and 0.9 GB.
IMAGES, MOST_MIB = (100_000, 2000) if FULL else (25_000, 1200)
FILES, MOST_WITHOUT_CACHE = (200_000, 1430) if FULL else (3_000, 1150)
BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
EXPERIMENT = """
data: {source: image_folder, path: images.zip, preprocessing: {size: [64, 64], channels: 3}}
model: {name: cnn, blocks: [{filters: 4, stride: 4}], pooling: average}
training: {epochs: 1, batch_size: 100, optimizer: {learning_rate: 0.01}}
"""


def draw(archive: Path) -> None:
    """Write noise in two classes, of which one is bright."""
    generator = np.random.default_rng(0)
    noise = generator.integers(0, 256, (64, 64, 3)).astype(np.uint8)
    with zipfile.ZipFile(archive, "w") as file:
        for number in range(IMAGES):
            image = np.roll(noise, generator.integers(0, 4096), axis=0)
            image = image // 4 + 190 * (number % 3 == 0)
            image[-1, 0, :] = number % 256, number // 256 % 256, number // 65536  # no two are the same
            # Not compressed, which would take most of the time.
            _, content = cv2.imencode(".png", image, [cv2.IMWRITE_PNG_COMPRESSION, 0])
            file.writestr(f"{'bright' if number % 3 == 0 else 'even'}/{number:06d}.png", content.tobytes())


def peak_memory(process: subprocess.Popen) -> float:
    """Wait for the process to end, and return its peak memory in MiB.

    Its `ru_maxrss` would not do: Linux counts what the process had before it became another program, which is the memory of
    whoever started it, here of all the tests before this one.
    """
    peak = 0
    while process.poll() is None:
        status = Path(f"/proc/{process.pid}/status").read_text()
        peak = max([peak, *(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:"))])
        time.sleep(0.05)
    return peak / 1024


@pytest.mark.slow
def test_peak_memory_is_bounded(tmp_path):
    draw(tmp_path / "images.zip")
    (tmp_path / "large.yaml").write_text(EXPERIMENT)
    environment = {**os.environ, "KERASEXP_CACHE": str(tmp_path / "cache"), "TF_NUM_INTRAOP_THREADS": "2"}
    command = [sys.executable, "-m", "kerasexp", "run", "large.yaml"]
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=log, stderr=log)
        peak = peak_memory(process)
    log = (tmp_path / "log").read_text()
    assert process.returncode == 0, log
    print(f"{IMAGES:,} images: peak {peak:.0f} MiB")
    assert 100 < peak < MOST_MIB
    assert "test: accuracy 1.0000" in log


@pytest.mark.slow
def test_peak_memory_is_bounded_without_a_cache(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    from large_source import make_source, train

    make_source(tmp_path / "images", FILES)
    peak, log = train(tmp_path)
    print(f"{FILES:,} files: peak {peak:.0f} MiB")
    assert 100 < peak < MOST_WITHOUT_CACHE
    assert "test: accuracy 1.0000" in log
    assert {file.suffix for file in (tmp_path / "cache" / "images").rglob("*") if file.is_file()} == {".json"}
