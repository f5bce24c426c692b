"""STL-10's files as they are published, with few and random images."""

from pathlib import Path

import numpy as np

CLASSES = ["airplane", "bird", "car", "cat", "deer", "dog", "horse", "monkey", "ship", "truck"]
GENERATOR = np.random.default_rng(0)
IMAGES = {split: GENERATOR.integers(0, 256, (n, 96, 96, 3), np.uint8) for split, n in (("train", 40), ("test", 20))}
# The fourth training image is an airplane, as are the 14th, 24th and 34th.
LABELS = {"train": (np.arange(40) + 7) % 10 + 1, "test": np.arange(20) % 10 + 1}


def published() -> dict[str, bytes]:
    """The content of the files: images as planes of columns, labels from 1, ten folds of four images."""
    folds = "\n".join(" ".join(str(i * 10 + fold) for i in range(4)) for fold in range(10))
    files = {"class_names.txt": "\n".join(CLASSES).encode() + b"\n", "fold_indices.txt": folds.encode() + b"\n"}
    for split in ("train", "test"):
        files[f"{split}_X.bin"] = IMAGES[split].transpose(0, 3, 2, 1).tobytes()
        files[f"{split}_y.bin"] = LABELS[split].astype(np.uint8).tobytes()
    return files


def written(folder: str = "stl10_binary", **changed: bytes | None) -> str:
    """The folder, with some files changed or left out; `train_X` stands for train_X.bin, `fold_indices` for the text."""
    Path(folder).mkdir(parents=True)
    for name, content in published().items():
        content = changed.get(name.partition(".")[0], content)
        if content is not None:
            Path(folder, name).write_bytes(content)
    return folder
