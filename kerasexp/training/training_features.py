"""Features: a network's output below its head, computed once and cached."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from pathlib import Path

import keras
import numpy as np

from kerasexp.console import Console
from kerasexp.data.evaluation_batch import evaluation_batch_size
from kerasexp.data.lazy_images import LazyImages, chunks
from kerasexp.environment import cache_folder
from kerasexp.errors import RunError
from kerasexp.storage import write_with

# Part of every key; to be raised when the same network gives different features than before.
VERSION = 1


def extract_features(extractor: keras.Model, images: np.ndarray | LazyImages, console: Console) -> np.ndarray:
    """Return the features of images, from the cache if the same network has processed the same images.

    If the cache cannot be written, the next run computes them again.

    Args:
        extractor: from images to features [n, f].
        images: uint8 [n, height, width, channels].
        console: where progress is shown.

    Returns:
        float32 [n, f].
    """
    file = cache_folder() / "features" / f"{_key(extractor, images)}.npy"
    shape = len(images), extractor.output.shape[-1]
    found = _read(file, shape)
    if found is not None:
        return found
    found, size = np.empty(shape, np.float32), evaluation_batch_size(images.shape[1:])
    with console.bar("extracting features", len(images)) as bar:
        for first in range(0, len(images), size):
            found[first : first + size] = extractor.predict_on_batch(images[first : first + size])
            bar.advance(min(first + size, len(images)))
    _write(file, found)
    return found


def _key(extractor: keras.Model, images: np.ndarray | LazyImages) -> str:
    digest = hashlib.sha256(f"{VERSION} {images.shape} {extractor.to_json()}".encode())
    for weight in extractor.get_weights():
        digest.update(np.ascontiguousarray(weight))
    for part in chunks(images):
        digest.update(np.ascontiguousarray(part))
    return digest.hexdigest()[:32]


def _read(file: Path, shape: tuple[int, int]) -> np.ndarray | None:
    try:
        found = np.load(file, allow_pickle=False)
    except Exception:
        return None  # it does not exist, or it is damaged, for which NumPy has many exceptions
    return found if found.shape == shape and found.dtype == np.float32 else None


def _write(file: Path, features: np.ndarray) -> None:
    with suppress(OSError, RunError):
        file.parent.mkdir(parents=True, exist_ok=True)
        write_with(file, lambda opened: np.save(opened, features, allow_pickle=False))
