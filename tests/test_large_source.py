"""More pictures than should lie in memory: they train within a bound that does not grow with them.

KERASEXP_FULL=1 trains on 100,000 pictures of 64x64 in colour, which are 1.2 GB; else on 25,000.
"""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest

FULL = bool(os.environ.get("KERASEXP_FULL"))
# In memory, with a copy for the splits and one of TensorFlow's, they alone would take 3.5 GB, and 0.9 GB.
PICTURES, MOST_MIB = (100_000, 2000) if FULL else (25_000, 1200)
EXPERIMENT = """
data: {source: image_folder, path: pictures.zip, preprocessing: {size: [64, 64], channels: 3}}
model: {name: cnn, blocks: [{filters: 4, stride: 4}], pooling: average}
training: {epochs: 1, batch_size: 100, optimizer: {learning_rate: 0.01}}
"""


def draw(archive: Path) -> None:
    """Write noise in two classes, of which one is bright."""
    generator = np.random.default_rng(0)
    noise = generator.integers(0, 256, (64, 64, 3)).astype(np.uint8)
    with zipfile.ZipFile(archive, "w") as file:
        for number in range(PICTURES):
            picture = np.roll(noise, generator.integers(0, 4096), axis=0)
            picture = picture // 4 + 190 * (number % 3 == 0)
            picture[-1, 0, :] = number % 256, number // 256 % 256, number // 65536  # no two are the same
            # Hardly compressed, as that would be most of the time.
            _, content = cv2.imencode(".png", picture, [cv2.IMWRITE_PNG_COMPRESSION, 0])
            file.writestr(f"{'bright' if number % 3 == 0 else 'even'}/{number:06d}.png", content.tobytes())


@pytest.mark.slow
def test_peak_memory_is_bounded(tmp_path):
    draw(tmp_path / "pictures.zip")
    (tmp_path / "large.yaml").write_text(EXPERIMENT)
    environment = {**os.environ, "KERASEXP_CACHE": str(tmp_path / "cache"), "TF_NUM_INTRAOP_THREADS": "2"}
    command = [sys.executable, "-m", "kerasexp", "run", "large.yaml"]
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=log, stderr=log)
        _, status, used = os.wait4(process.pid, 0)
    told = (tmp_path / "log").read_text()
    assert status == 0, told
    print(f"{PICTURES:,} pictures: peak {used.ru_maxrss / 1024:.0f} MiB")
    assert used.ru_maxrss / 1024 < MOST_MIB
    assert "test: accuracy 1.0000" in told
