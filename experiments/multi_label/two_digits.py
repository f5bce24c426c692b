"""Write `two_digits.npz` into the working folder: pairs of handwritten digits side by side, whose labels are both digits.

python experiments/multi_label/two_digits.py [FILE]

There are 16,000 images in train and 4,000 in test. The digits are MNIST's, from $KERASEXP_DATA, Keras's cache or by download;
without all of them those of scikit-learn, for some hundred images. No digit is used twice, so that train, val and test share none.
"""

import sys
from pathlib import Path

import numpy as np

from kerasexp.config.data_section import Data, StandIn
from kerasexp.data.sources import load_source

IMAGES, CLASSES = {"train": 16_000, "test": 4_000}, 10


def two_digits(images: np.ndarray, labels: np.ndarray, count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return images uint8 [n, height, 2 * width] and labels of 0 and 1, uint8 [n, 10], of at most `count` pairs."""
    drawn = np.random.default_rng(seed).permutation(len(images))[: 2 * min(count, len(images) // 2)]
    left, right = np.split(drawn, 2)
    both = np.zeros((len(left), CLASSES), np.uint8)
    for side in (left, right):
        both[np.arange(len(side)), labels[side]] = 1
    return np.concatenate([images[left], images[right]], axis=2)[..., 0], both


def write(file: Path) -> None:
    source, stand_in = load_source(Data(source="mnist", offline=StandIn(source="digits")))
    if stand_in:
        print(f"STAND-IN: {stand_in}")
    arrays = {}
    for seed, (split, count) in enumerate(IMAGES.items()):
        digits = source.splits[split]
        images, labels = two_digits(digits.array, digits.labels, count, seed)
        arrays |= {f"x_{split}": images, f"y_{split}": labels}
        print(f"{split}: {len(images):,} images of {images.shape[1]}x{images.shape[2]} from {source.origin}")
    np.savez_compressed(file, **arrays)
    print(file)


if __name__ == "__main__":
    write(Path(sys.argv[1]) if len(sys.argv) > 1 else Path("two_digits.npz"))
