"""The image files that `decoding.py` reads: real ones where they are available, else drawn ones."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from kerasexp.config.yaml_paths import find_file


@dataclass(frozen=True)
class ImageSet:
    """A folder of class folders and the target size of its images.

    `key` is the value of `--sets`. The aims are the largest allowed ratios of our time to that of Keras's and PyTorch's loader.
    """

    key: str
    name: str
    folder: Path
    size: int
    channels: int
    aim: float
    torch_aim: float = 1.0


def unpack(archive: Path, to: Path) -> None:
    """Unpack an archive, unless this was done before."""
    if not to.exists():
        zipfile.ZipFile(archive).extractall(to)


def scans(folder: Path) -> ImageSet:
    """Return the real scans if they are available, else rendered ones."""
    import tensorflow as tf

    from kerasexp.data.handwriting import CHARACTERS, render_character

    to = folder / "scans"
    real = find_file("trainPart1.zip")
    if real is not None:
        unpack(real, to)
        return ImageSet("scans", "scans", to / "train", 28, 1, 0.85)
    for number, character in enumerate(CHARACTERS, start=1):
        target = to / f"Sample{number:03d}"
        target.mkdir(parents=True, exist_ok=True)
        for writer in range(1, 11):
            page = tf.io.encode_png(render_character(character, writer)).numpy()
            (target / f"img{number:03d}-{writer:03d}.png").write_bytes(page)
    return ImageSet("scans", "rendered scans", to, 28, 1, 0.85)


def jpeg(folder: Path) -> ImageSet:
    """Return the real dogs and cats if they are available, else smooth images of their size."""
    to = folder / "jpeg"
    real = find_file("dogs_vs_cats.zip")
    if real is not None:
        unpack(real, to)
        return ImageSet("jpeg", "dogs and cats", to / "training_set", 64, 3, 1.0, 0.5)
    generator = np.random.default_rng(0)
    for name in ("cats", "dogs"):
        (to / name).mkdir(parents=True, exist_ok=True)
        for number in range(500):
            page = cv2.resize(generator.integers(0, 256, (36, 40, 3), np.uint8), (400, 360))
            cv2.imwrite(str(to / name / f"{number}.jpg"), page)
    return ImageSet("jpeg", "drawn JPEG files", to, 64, 3, 1.0, 0.5)


def tiny(folder: Path) -> ImageSet:
    """Return the first 50 classes of Tiny ImageNet if they are available, else random images of their size."""
    to = folder / "tiny"
    real = find_file("tiny-imagenet-50.zip")
    if real is not None:
        unpack(real, to)
        train = next(to.glob("**/train"))
        for path in train.glob("*/images/*.JPEG"):  # all three loaders expect one folder per class
            path.rename(path.parent.parent / f"{path.stem}.jpeg")
        for path in [*train.glob("*/images"), *train.glob("*/*.txt")]:
            path.rmdir() if path.is_dir() else path.unlink()
        return ImageSet("tiny", "Tiny ImageNet-50", train, 64, 3, 1.0)
    generator = np.random.default_rng(0)
    for name in range(50):
        (to / str(name)).mkdir(parents=True, exist_ok=True)
        for number in range(100):
            page = cv2.resize(generator.integers(0, 256, (8, 8, 3), np.uint8), (64, 64))
            cv2.imwrite(str(to / str(name) / f"{number}.jpg"), page)
    return ImageSet("tiny", "small drawn JPEG files", to, 64, 3, 1.0)


SETS = {"scans": scans, "jpeg": jpeg, "tiny": tiny}
