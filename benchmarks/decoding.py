"""How long scans take from disk to 28x28, beside `keras.utils.image_dataset_from_directory` and a PyTorch DataLoader.

Keras's takes single pixels (bilinear); ours averages over areas, and so does Pillow's resizing, which a PyTorch loader in
the style of ImageFolder uses, here with a worker per core. Hashing the files and writing the cache is in our time. Then the
time until packed pictures are ready at a second start, beside Keras's, which decodes again.

    pip install -r benchmarks/requirements.txt
    python benchmarks/decoding.py [--pairs 5] [--classes 62] [--write]
"""

from __future__ import annotations

import os
import tempfile
import time
import zipfile
from pathlib import Path

from timing import parser, take_turns, told

from kerasexp.backend import import_tensorflow
from kerasexp.config.data import DataSource, Preprocessing
from kerasexp.config.files import find_file


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--classes", type=int, default=62, help="of the scans")
    given = arguments.parse_args()
    import_tensorflow()
    command = "python benchmarks/decoding.py"
    with tempfile.TemporaryDirectory() as folder:
        scans, caches = unpacked(Path(folder), given.classes), iter(range(10**6))

        def cold() -> float:
            os.environ["KERASEXP_CACHE"] = str(Path(folder, f"cache{next(caches)}"))
            return with_us(scans)

        for name, theirs in (("image_dataset_from_directory", with_keras), ("a PyTorch DataLoader", with_torch)):
            ratio = take_turns(cold, lambda theirs=theirs: theirs(scans), given.pairs, name=name)
            measured = f"{ratio}: {ratio.ours:.2f} s, there {ratio.theirs:.2f} s"
            told(f"scans, cold, to 28x28 / {name}", measured, ratio.median <= 1, "at most 1.0", command, given.write)
        ratio = take_turns(lambda: with_us(scans), lambda: with_keras(scans), given.pairs, name="Keras")
        measured = f"{ratio}: {ratio.ours:.3f} s, there {ratio.theirs:.2f} s"
        reached = ratio.median <= 1 / 50
        told(
            "scans, second start / image_dataset_from_directory",
            measured,
            reached,
            "at most 0.02",
            command,
            given.write,
        )


def unpacked(folder: Path, classes: int) -> Path:
    """Return a folder of scans: the real ones where they are, else rendered ones."""
    import tensorflow as tf

    from kerasexp.data.rendering import CHARACTERS, render_character

    scans = folder / "scans"
    real = find_file("trainPart1.zip")
    if real is not None:
        with zipfile.ZipFile(real) as archive:
            names = [n for n in archive.namelist() if int(n.split("Sample")[1][:3]) <= classes]
            archive.extractall(scans, names)
        return scans / "train"
    for number, character in enumerate(CHARACTERS[:classes], start=1):
        target = scans / f"Sample{number:03d}"
        target.mkdir(parents=True)
        for writer in range(1, 11):
            page = tf.io.encode_png(render_character(character, writer)).numpy()
            (target / f"img{number:03d}-{writer:03d}.png").write_bytes(page)
    return scans


def with_keras(scans: Path) -> float:
    """Return the seconds of one pass of Keras's own loader."""
    import keras

    start = time.perf_counter()
    dataset = keras.utils.image_dataset_from_directory(
        scans, image_size=(28, 28), color_mode="grayscale", batch_size=100, shuffle=False, verbose=False
    )
    for _ in dataset:
        pass
    return time.perf_counter() - start


def with_torch(scans: Path) -> float:
    """Return the seconds of one pass of a loader as one would write it."""
    import numpy as np
    import torch
    from PIL import Image
    from torch.utils.data import DataLoader, Dataset

    class Folder(Dataset):
        def __init__(self):
            names = sorted(path.name for path in scans.iterdir())
            self.files = [(path, names.index(path.parent.name)) for path in sorted(scans.glob("*/*"))]

        def __len__(self):
            return len(self.files)

        def __getitem__(self, position):
            path, label = self.files[position]
            with Image.open(path) as image:
                picture = image.convert("L").resize((28, 28), Image.Resampling.BOX)
            return torch.from_numpy(np.asarray(picture).copy()), label

    start = time.perf_counter()
    # A local class cannot be sent to a spawned worker; the workers only decode, and TensorFlow is not used in them.
    for _ in DataLoader(Folder(), batch_size=100, num_workers=os.cpu_count(), multiprocessing_context="fork"):
        pass
    return time.perf_counter() - start


def with_us(scans: Path) -> float:
    """Return the seconds until our pictures are ready, by way of the packed cache."""
    from kerasexp.data.packed import pack
    from kerasexp.data.sources.image_folder import load_image_folder

    start = time.perf_counter()
    source = load_image_folder(DataSource(source="image_folder", path=str(scans)))
    pack(source.splits["train"], Preprocessing(size=[28, 28], invert="auto"))
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
