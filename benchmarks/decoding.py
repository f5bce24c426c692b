"""How fast scans are decoded beside `keras.utils.image_dataset_from_directory` on the same files.

Both bring every picture to 28x28; Keras's takes single pixels (bilinear), ours averages over areas. One process,
alternating; then the time until packed pictures are ready at a second start.

    python benchmarks/decoding.py [--pairs 3] [--classes 62]
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
import zipfile
from pathlib import Path

from kerasexp.backend import import_tensorflow
from kerasexp.config.data import DataSource, Preprocessing
from kerasexp.config.files import find_file


def main() -> None:
    """Print pictures per second of each, their ratio, and the seconds of a second start."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--classes", type=int, default=62)
    arguments = parser.parse_args()
    import_tensorflow()
    with tempfile.TemporaryDirectory() as folder:
        scans = unpacked(Path(folder), arguments.classes)
        ours, keras_rates = [], []
        for pair in range(arguments.pairs):
            keras_rates.append(keras_rate(scans))
            ours.append(our_rate(scans, Path(folder) / f"cache{pair}"))
            print(
                f"pair {pair + 1}: Keras {keras_rates[-1]:.0f}, kerasexp {ours[-1]:.0f} pictures/s, "
                f"ratio {ours[-1] / keras_rates[-1]:.3f}"
            )
        print(f"decoding rate, kerasexp / Keras: {statistics.median(ours) / statistics.median(keras_rates):.3f}")
        start = time.perf_counter()
        our_pictures(scans)
        print(f"second start: pictures ready after {time.perf_counter() - start:.3f} s")


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


def keras_rate(scans: Path) -> float:
    """Return the pictures per second of one pass of Keras's own loader."""
    import keras

    dataset = keras.utils.image_dataset_from_directory(
        scans, image_size=(28, 28), batch_size=100, shuffle=False, verbose=False
    )
    start = time.perf_counter()
    count = sum(len(labels) for _, labels in dataset)
    return count / (time.perf_counter() - start)


def our_pictures(scans: Path):
    """Return the scans' pictures at 28x28, by way of the packed cache."""
    from kerasexp.data.packed import pack
    from kerasexp.data.sources.image_folder import load_image_folder

    source = load_image_folder(DataSource(source="image_folder", path=str(scans)))
    return pack(source.splits["train"], Preprocessing(size=[28, 28], invert="auto")).images


def our_rate(scans: Path, cache: Path) -> float:
    """Return our pictures per second into a new cache, hashing and writing included."""
    os.environ["KERASEXP_CACHE"] = str(cache)
    start = time.perf_counter()
    count = len(our_pictures(scans))
    return count / (time.perf_counter() - start)


if __name__ == "__main__":
    main()
