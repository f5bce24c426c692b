"""How far the layer `Preprocess` is from the preprocessing of NumPy and OpenCV, on real images and in every framing.

    python benchmarks/preprocess_layer.py [--sets scans dogs_vs_cats digits mnist]
    python benchmarks/preprocess_layer.py --training

For each set and framing: the share of differing pixels, the largest difference in steps of 1/255, the images with a
difference above one step, and the time for one image, without decoding it. Scans and digits go through a graph of their size,
dogs and cats through one of any size. `--training` trains `part1_scans` with seeds 0, 1 and 2 on the images of each of the two.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

import kerasexp
from kerasexp.backend import import_tensorflow
from kerasexp.config.data_section import DataSource, Preprocessing
from kerasexp.data.preprocessing import preprocess
from kerasexp.data.source import Images

FRAMINGS = {
    "stretch": {},
    "fit": {},
    "center": {},
    "window": {"window": [0.14, 0.18, 0.95, 0.78]},
}
# Set -> source, preprocessing, and the most images of it.
INK = {"invert": "auto", "contrast": "stretch"}
SETS = {
    "scans": (DataSource(source="image_folder", path="trainPart1.zip"), INK, 10_000),
    "dogs_vs_cats": (DataSource(source="dogs_vs_cats"), {"size": [64, 64], "channels": 3}, 500),
    "digits": (DataSource(source="digits"), {"invert": "auto"}, 10_000),
    "mnist": (DataSource(source="mnist"), {"size": [20, 20]}, 2000),
}


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS), help="which images")
    arguments.add_argument("--training", action="store_true", help="train on the images of either")
    given = arguments.parse_args()
    import_tensorflow()
    if given.training:
        train_on_either()
        return
    print("| images | framing | pixels that differ | largest difference | images above 1/255 | NumPy, ms | layer, ms |")
    print("|---|---|---|---|---|---|---|")
    for name in given.sets:
        for row in measure(name):
            print(row, flush=True)


def measure(name: str, most: int | None = None) -> Iterator[str]:
    """Yield a row of the table for each framing."""
    from kerasexp.data.sources import load_source

    where, keys, limit = SETS[name]
    source, _ = load_source(where)
    images = [image for image in source.splits.values() if len(image)]
    counts = {framing: Differences(Preprocessing(framing=framing, **keys, **FRAMINGS[framing])) for framing in FRAMINGS}
    for image in spread(images, most or limit):
        for differences in counts.values():
            differences.add(image)
    for framing, differences in counts.items():
        yield f"| {name}: {differences.images:,} | {framing} | {differences.text()} |"


def train_on_either() -> None:
    """Train `part1_scans` on the scans as NumPy and as the layer preprocess them; print the table of each study."""
    from kerasexp.data.sources import load_source

    where, keys, _ = SETS["scans"]
    source, _ = load_source(where)
    (images,) = source.splits.values()
    sides = Differences(Preprocessing(**keys))
    pairs = [sides.preprocessed(images.read(position)) for position in range(len(images))]
    labels = np.array(source.class_names)[images.labels]
    with tempfile.TemporaryDirectory() as folder:
        for side, name in enumerate(("numpy", "layer")):
            file = Path(folder) / f"{name}.npz"
            np.savez(file, x=np.stack([pair[side] for pair in pairs]), y=labels)
            changes = {
                "data.source": "npz", "data.path": str(file), "data.offline": None, "data.class_names": None,
                "data.preprocessing": {"size": [28, 28]}, "seeds": [0, 1, 2], "report.plots": False,
            }  # fmt: skip
            print(f"preprocessed by {name}:", flush=True)
            kerasexp.run("part1_scans", set=changes, run_dir=Path(folder) / name)


def spread(splits: list[Images], most: int) -> Iterator[np.ndarray]:
    """Yield at most this many images, evenly spaced over the splits."""
    positions = [(images, position) for images in splits for position in range(len(images))]
    for place in np.unique(np.linspace(0, len(positions) - 1, min(most, len(positions))).astype(int)):
        images, position = positions[place]
        yield images.read(position)


class Differences:
    """The differences between the two, image by image."""

    def __init__(self, config: Preprocessing):
        from kerasexp.data.preprocess_layer import Preprocess

        self.config, self._layer = config, Preprocess.of(config)
        self._graphs: dict[tuple, Callable] = {}
        self.images = self._pixels = self._differing = self._above = self._largest = 0
        self._seconds = [0.0, 0.0]

    def add(self, image: np.ndarray) -> None:
        """Compare one image, uint8 [height, width, 1 or 3]."""
        expected, got = self.preprocessed(image)
        difference = np.abs(got.astype(int) - expected)
        self.images += 1
        self._pixels += difference.size
        self._differing += int((difference > 0).sum())
        self._above += bool(difference.max() > 1)
        self._largest = max(self._largest, int(difference.max()))

    def preprocessed(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return an image as NumPy and as the layer preprocess it."""
        graph = self._graph(image.shape)
        start = time.perf_counter()
        expected = preprocess(image, self.config)
        middle = time.perf_counter()
        got = graph(image).numpy()
        self._seconds = [self._seconds[0] + middle - start, self._seconds[1] + time.perf_counter() - middle]
        return expected, got

    def text(self) -> str:
        """Return the cells of the table."""
        old, new = (1000 * seconds / self.images for seconds in self._seconds)
        share = f"{self._differing / self._pixels:.4%}"
        return f"{share} | {self._largest}/255 | {self._above} | {old:.2f} | {new:.2f}"

    def _graph(self, shape: tuple[int, ...]) -> Callable:
        import tensorflow as tf

        if shape not in self._graphs and len(self._graphs) > 4:
            shape = (None, None, shape[2])
        if shape not in self._graphs:
            self._graphs[shape] = tf.function(self._layer.call, input_signature=[tf.TensorSpec(shape, tf.uint8)])
        return self._graphs[shape]


if __name__ == "__main__":
    main()
