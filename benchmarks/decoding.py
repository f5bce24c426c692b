"""How long pictures take from disk, beside `keras.utils.image_dataset_from_directory` and a PyTorch DataLoader.

Scans (PNG, 900x1200) are brought to 28x28 grey, dogs and cats (JPEG, about 360x400) to 64x64 in colour. Keras takes single
pixels (bilinear); ours averages over areas, and so does Pillow's resizing, which a PyTorch loader in the style of ImageFolder
uses, here with a worker per core. Hashing the files and writing the cache is in our time. Then the time until packed pictures
are ready at a second start, beside Keras's, which decodes again.

    pip install -r benchmarks/requirements.txt
    python benchmarks/decoding.py [--pairs 5] [--sets scans jpeg] [--write]
"""

from __future__ import annotations

import os
import tempfile
import time
import zipfile
from dataclasses import dataclass
from pathlib import Path

from timing import parser, take_turns, told

from kerasexp.backend import import_tensorflow
from kerasexp.config.data import DataSource, Preprocessing
from kerasexp.config.files import find_file

# Number of channels -> what Keras and Pillow call them.
MODES = {1: ("grayscale", "L"), 3: ("rgb", "RGB")}


@dataclass(frozen=True)
class PictureSet:
    """A folder of class folders, and what its pictures are brought to; `aim` is how much of the peers' time is allowed."""

    name: str
    folder: Path
    size: int
    channels: int
    aim: float


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS), help="which pictures")
    given = arguments.parse_args()
    import_tensorflow()
    with tempfile.TemporaryDirectory() as folder:
        for name in given.sets:
            measure(SETS[name](Path(folder)), Path(folder), f"python benchmarks/decoding.py --sets {name}", given)


def measure(pictures: PictureSet, folder: Path, command: str, given) -> None:
    """Print and write the rows of one set of pictures."""
    caches = iter(range(10**6))

    def cold() -> float:
        os.environ["KERASEXP_CACHE"] = str(folder / f"{pictures.name}{next(caches)}")
        return with_us(pictures)

    for name, theirs in (("image_dataset_from_directory", with_keras), ("a PyTorch DataLoader", with_torch)):
        ratio = take_turns(cold, lambda theirs=theirs: theirs(pictures), given.pairs, name=name)
        measured = f"{ratio}: {ratio.ours:.2f} s, there {ratio.theirs:.2f} s"
        what = f"{pictures.name}, cold, to {pictures.size}x{pictures.size} / {name}"
        told(what, measured, ratio.median <= pictures.aim, f"at most {pictures.aim}", command, given.write)
    ratio = take_turns(lambda: with_us(pictures), lambda: with_keras(pictures), given.pairs, name="Keras")
    measured = f"{ratio}: {ratio.ours:.3f} s, there {ratio.theirs:.2f} s"
    what = f"{pictures.name}, second start / image_dataset_from_directory"
    told(what, measured, ratio.median <= 1 / 50, "at most 0.02", command, given.write)


def scans(folder: Path) -> PictureSet:
    """The real scans where they are, else rendered ones."""
    import tensorflow as tf

    from kerasexp.data.rendering import CHARACTERS, render_character

    to = folder / "scans"
    real = find_file("trainPart1.zip")
    if real is not None:
        zipfile.ZipFile(real).extractall(to)
        return PictureSet("scans", to / "train", 28, 1, 1.0)
    for number, character in enumerate(CHARACTERS, start=1):
        target = to / f"Sample{number:03d}"
        target.mkdir(parents=True)
        for writer in range(1, 11):
            page = tf.io.encode_png(render_character(character, writer)).numpy()
            (target / f"img{number:03d}-{writer:03d}.png").write_bytes(page)
    return PictureSet("rendered scans", to, 28, 1, 1.0)


def jpeg(folder: Path) -> PictureSet:
    """The real dogs and cats where they are, else smooth pictures of their size."""
    import cv2
    import numpy as np

    to = folder / "jpeg"
    real = find_file("dogs_vs_cats.zip")
    if real is not None:
        zipfile.ZipFile(real).extractall(to)
        return PictureSet("dogs and cats", to / "training_set", 64, 3, 0.5)
    generator = np.random.default_rng(0)
    for name in ("cats", "dogs"):
        (to / name).mkdir(parents=True)
        for number in range(500):
            page = cv2.resize(generator.integers(0, 256, (36, 40, 3), np.uint8), (400, 360))
            cv2.imwrite(str(to / name / f"{number}.jpg"), page)
    return PictureSet("drawn JPEG files", to, 64, 3, 0.5)


SETS = {"scans": scans, "jpeg": jpeg}


def with_keras(pictures: PictureSet) -> float:
    """Return the seconds of one pass of Keras's own loader."""
    import keras

    start = time.perf_counter()
    dataset = keras.utils.image_dataset_from_directory(
        pictures.folder,
        image_size=(pictures.size, pictures.size),
        color_mode=MODES[pictures.channels][0],
        batch_size=100,
        shuffle=False,
        verbose=False,
    )
    for _ in dataset:
        pass
    return time.perf_counter() - start


def with_torch(pictures: PictureSet) -> float:
    """Return the seconds of one pass of a loader as one would write it."""
    import numpy as np
    import torch
    from PIL import Image
    from torch.utils.data import DataLoader, Dataset

    class Folder(Dataset):
        def __init__(self):
            names = sorted(path.name for path in pictures.folder.iterdir())
            self.files = [(path, names.index(path.parent.name)) for path in sorted(pictures.folder.glob("*/*.*g"))]

        def __len__(self):
            return len(self.files)

        def __getitem__(self, position):
            path, label = self.files[position]
            with Image.open(path) as image:
                picture = image.convert(MODES[pictures.channels][1]).resize(
                    (pictures.size, pictures.size), Image.Resampling.BOX
                )
            return torch.from_numpy(np.asarray(picture).copy()), label

    start = time.perf_counter()
    # A local class cannot be sent to a spawned worker; the workers only decode, and TensorFlow is not used in them.
    for _ in DataLoader(Folder(), batch_size=100, num_workers=os.cpu_count(), multiprocessing_context="fork"):
        pass
    return time.perf_counter() - start


def with_us(pictures: PictureSet) -> float:
    """Return the seconds until our pictures are ready, by way of the packed cache."""
    from kerasexp.data.packed import pack
    from kerasexp.data.sources.image_folder import load_image_folder

    start = time.perf_counter()
    source = load_image_folder(DataSource(source="image_folder", path=str(pictures.folder)))
    pack(
        source.splits["train"],
        Preprocessing(size=[pictures.size, pictures.size], channels=pictures.channels, framing="stretch"),
    )
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
