"""Time and memory to load images from disk, against `keras.utils.image_dataset_from_directory` and a PyTorch DataLoader.

Scans (PNG, 900x1200) are downsampled to 28x28 grey, dogs and cats (JPEG, about 360x400) to 64x64 in colour. Keras samples
single pixels (bilinear). Ours averages over areas, as does Pillow, which the PyTorch loader uses in the style of ImageFolder,
with one worker per core. Our time includes hashing the files and writing the cache. The second start, which loads the image
cache, is compared with Keras, which decodes again. It looks at the size and times of every file: its row names the time that
listing the files and asking the system for these takes alone.

    pip install -r benchmarks/requirements.txt
    python benchmarks/decoding.py [--pairs 5] [--sets scans jpeg tiny] [--write]

The 25,000 small files of Tiny ImageNet (JPEG, 64x64) keep their size.

`--parts memory` compares the peak memory of processes of which each reads the images once. TensorFlow is imported in each; the
workers of a DataLoader are not counted. The row names the peak after two images, which is what the libraries of a side take.

`--parts epoch` compares an epoch of `data.cache: none`, which decodes again, with a pass of Keras's loader. `--parts decoders`
compares our PNG decoder with those of TensorFlow, OpenCV and Pillow on the scans, one file at a time, in CPU time of the process.
Our decoder also compares checksums and finds missing pixels.
"""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
from image_sets import SETS, ImageSet
from timing import Ratio, parser, report_row, take_turns

from kerasexp.backend import import_tensorflow
from kerasexp.config.data_section import DataSource, Preprocessing
from kerasexp.environment import cores

# PNG files that are decoded one by one.
DECODED = 50
# Number of channels -> the names of the mode in Keras and Pillow.
MODES = {1: ("grayscale", "L"), 3: ("rgb", "RGB")}


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS), help="which images")
    arguments.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS), help="which comparisons")
    arguments.add_argument(
        "--once", nargs=2, metavar=("SIDE", "FOLDER"), help="one pass, in this process; its peak memory"
    )
    given = arguments.parse_args()
    import_tensorflow()
    if given.once:
        side, folder = given.once
        print(*peaks_of(SIDES[side], SETS[given.sets[0]](Path(folder))))
        return
    with tempfile.TemporaryDirectory() as folder:
        for name in given.sets:
            images = SETS[name](Path(folder))
            for part in given.parts:
                PARTS[part](images, Path(folder), f"python benchmarks/decoding.py --sets {name} --parts {part}", given)


def measure_epoch(images: ImageSet, folder: Path, command: str, given) -> None:
    """Compare an epoch that decodes all images with a pass of Keras's loader."""
    from kerasexp.data.epoch_sampling import Sampling
    from kerasexp.data.pipeline import training_batches
    from kerasexp.data.prepared_data import decode_split
    from kerasexp.data.sources.image_folder import load_image_folder

    os.environ["KERASEXP_CACHE"] = str(folder / "epoch")
    source = load_image_folder(DataSource(source="image_folder", path=str(images.folder)))
    split, _ = decode_split(source.splits["train"], preprocessing_of(images), "none")

    def epoch() -> float:
        start = time.perf_counter()
        for _ in training_batches(split, Sampling(100), 0, None, 1):
            pass
        return time.perf_counter() - start

    ratio = take_turns(epoch, lambda: with_keras(images), given.pairs, name="Keras")
    report(f"{images.name}, an epoch of cache: none / image_dataset_from_directory", ratio, 1.1, command, given)


def measure_decoders(images: ImageSet, folder: Path, command: str, given) -> None:
    """Compare our PNG decoder with others, on up to `DECODED` files of the set that are PNG."""
    import tensorflow as tf
    from PIL import Image

    from kerasexp.data.png_decoding import decode_png

    paths = sorted(images.folder.rglob("*.png"))
    files = [path.read_bytes() for path in paths[:: max(len(paths) // DECODED, 1)]]
    if not files:
        return

    def milliseconds(decode) -> float:
        start = time.process_time()
        for file in files:
            decode(file)
        return 1000 * (time.process_time() - start) / len(files)

    decoders = {
        "TensorFlow": lambda file: tf.io.decode_png(file).numpy(),
        "OpenCV": lambda file: cv2.imdecode(np.frombuffer(file, np.uint8), cv2.IMREAD_UNCHANGED),
        "Pillow": lambda file: np.asarray(Image.open(io.BytesIO(file))),
    }
    for name, decode in decoders.items():
        ratio = take_turns(
            lambda: milliseconds(decode_png), lambda d=decode: milliseconds(d), given.pairs, unit="ms", name=name
        )
        report(f"{images.name}, decoding a PNG file / {name}", ratio, 0.87, command, given, "ms")


def measure_loaders(images: ImageSet, folder: Path, command: str, given) -> None:
    """Measure one set of images; print and write the rows."""
    caches = iter(range(10**6))

    def cold() -> float:
        os.environ["KERASEXP_CACHE"] = str(folder / f"{images.name}{next(caches)}")
        return with_us(images)

    for side, name in peers().items():
        ratio = take_turns(cold, lambda side=side: SIDES[side](images), given.pairs, name=name)
        aim = images.torch_aim if side == "torch" else images.aim
        report(f"{images.name}, cold, to {images.size}x{images.size} / {name}", ratio, aim, command, given)
    ratio = take_turns(lambda: with_us(images), lambda: with_keras(images), given.pairs, name="Keras")
    floor = min(listing_seconds(images.folder) for _ in range(given.pairs))
    least = f"; to list and stat the files alone {floor:.3g} s"
    report(f"{images.name}, second start / image_dataset_from_directory", ratio, 0.02, command, given, more=least)


def measure_memory(images: ImageSet, folder: Path, command: str, given) -> None:
    """Compare the peak memory of processes that read a set once."""
    after_two: dict[str, float] = {}

    def after_all(side: str) -> float:
        after_two[side], every = peaks(side, images.key, folder)
        return every

    for side, name in peers().items():
        ratio = take_turns(
            lambda: after_all("ours"), lambda side=side: after_all(side), given.pairs, unit="MiB", name=side
        )
        more = f"; with two images {after_two['ours']:.0f} MiB, there {after_two[side]:.0f} MiB"
        report(f"{images.name}, cold: peak memory / {name}", ratio, 1.0, command, given, "MiB", more)


def peers() -> dict[str, str]:
    """Return the loaders that are installed, with their names."""
    if find_spec("torch") is not None:
        return NAMES
    print(f"no rows of {NAMES['torch']}: PyTorch is not installed")
    return {side: name for side, name in NAMES.items() if side != "torch"}


def listing_seconds(folder: Path) -> float:
    """Return the seconds to list a folder and its subfolders with the size and times of every file."""
    start = time.perf_counter()
    waiting = [folder]
    while waiting:
        with os.scandir(waiting.pop()) as entries:
            for entry in entries:
                if entry.is_dir():
                    waiting.append(entry.path)
                else:
                    entry.stat()
    return time.perf_counter() - start


def report(what: str, ratio: Ratio, aim: float, command: str, given, unit: str = "s", more: str = "") -> None:
    """Print and write the row of a ratio."""
    measured = f"{ratio}: {ratio.ours:.3g} {unit}, there {ratio.theirs:.3g} {unit}{more}"
    report_row(what, measured, ratio.median <= aim, f"at most {aim}", command, given.write)


def peaks(side: str, images: str, folder: Path) -> tuple[float, float]:
    """Return the peak memory, in MiB, of a new process that reads two images, and then that after all of them."""
    with tempfile.TemporaryDirectory() as cache:
        done = subprocess.run(
            [sys.executable, __file__, "--sets", images, "--once", side, str(folder)],
            env={**os.environ, "KERASEXP_CACHE": cache},
            check=True,
            capture_output=True,
            text=True,
        )
    two, every = done.stdout.split()[-2:]
    return float(two), float(every)


def peaks_of(read, images: ImageSet) -> tuple[float, float]:
    """Return the peak memory of this process, in MiB, after two images of a set and after all of them."""
    with tempfile.TemporaryDirectory() as folder:
        for path in sorted(images.folder.iterdir())[:2]:
            first = next(file for file in sorted(path.rglob("*")) if file.is_file())
            copy = Path(folder, path.name, first.name)
            copy.parent.mkdir()
            copy.write_bytes(first.read_bytes())
        read(replace(images, folder=Path(folder)))
        two = peak()
    read(images)
    return two, peak()


def peak() -> float:
    """Return the peak memory of this process so far, in MiB, as Linux reports it."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def with_keras(images: ImageSet) -> float:
    """Return the seconds of one pass of Keras's loader."""
    import keras

    start = time.perf_counter()
    dataset = keras.utils.image_dataset_from_directory(
        images.folder,
        image_size=(images.size, images.size),
        color_mode=MODES[images.channels][0],
        batch_size=100,
        shuffle=False,
        verbose=False,
    )
    for _ in dataset:
        pass
    return time.perf_counter() - start


def with_torch(images: ImageSet) -> float:
    """Return the seconds of one pass of a typical PyTorch loader."""
    import torch
    from PIL import Image
    from torch.utils.data import DataLoader, Dataset

    class Folder(Dataset):
        def __init__(self):
            names = sorted(path.name for path in images.folder.iterdir())
            self.files = [(path, names.index(path.parent.name)) for path in sorted(images.folder.glob("*/*.*g"))]

        def __len__(self):
            return len(self.files)

        def __getitem__(self, position):
            path, label = self.files[position]
            with Image.open(path) as stored:
                image = stored.convert(MODES[images.channels][1]).resize(
                    (images.size, images.size), Image.Resampling.BOX
                )
            return torch.from_numpy(np.asarray(image).copy()), label

    start = time.perf_counter()
    # A local class cannot be pickled for spawned workers. Forking is safe: the workers only decode, without TensorFlow.
    for _ in DataLoader(Folder(), batch_size=100, num_workers=cores(), multiprocessing_context="fork"):
        pass
    return time.perf_counter() - start


def with_us(images: ImageSet) -> float:
    """Return the seconds until our images are ready, through the image cache."""
    from kerasexp.data.image_cache import decode_cached
    from kerasexp.data.sources.image_folder import load_image_folder

    start = time.perf_counter()
    source = load_image_folder(DataSource(source="image_folder", path=str(images.folder)))
    decode_cached(source.splits["train"], preprocessing_of(images))
    return time.perf_counter() - start


def preprocessing_of(images: ImageSet) -> Preprocessing:
    """Return our preprocessing of a set."""
    return Preprocessing(size=[images.size, images.size], channels=images.channels, framing="stretch")


SIDES = {"ours": with_us, "keras": with_keras, "torch": with_torch}
NAMES = {"keras": "image_dataset_from_directory", "torch": "a PyTorch DataLoader"}

PARTS = {"loaders": measure_loaders, "memory": measure_memory, "epoch": measure_epoch, "decoders": measure_decoders}

if __name__ == "__main__":
    main()
