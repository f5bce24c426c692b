"""A checkpoint's network as a graph of LiteRT, whose runtime starts in a few milliseconds and needs no TensorFlow.

The graph is made here, from a `model.keras` that has been checked, and is kept in the cache of this user. None is read from a
checkpoint folder: LiteRT trusts its files, and a stranger's graph could give other answers than the model beside it.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kerasexp import __version__
from kerasexp.backend import silenced
from kerasexp.environment import cache_folder, cores, may_have_gpu
from kerasexp.errors import RunError
from kerasexp.saving.image_memory import most_at_once
from kerasexp.storage import digest_of_file, temporary_folder, write_bytes

if TYPE_CHECKING:
    import keras

# The runtime, and the folder of the cache.
RUNTIME, FOLDER = "ai_edge_litert.interpreter", "graphs"
# Raised when graphs are made in another way, so that those of before are not used.
GRAPH_VERSION = 1
# Largest difference of a probability from Keras's, images on which it is measured, and images that the runtime takes at a time.
# Larger batches take as long an image, and more memory.
TOLERANCE, COMPARED, BATCH = 1e-4, 16, 16
# Bytes of the largest `model.keras` that gets a graph: to make one takes several times its size of memory. Bytes of all graphs
# that are kept; beyond, those that were used least recently are removed.
LARGEST, KEPT = 2**28, 2**30


class LiteRtModel:
    """A network that LiteRT runs, in place of the `keras.Model` for predictions.

    Raises:
        ValueError, RuntimeError: the runtime cannot read the file.
        ImportError, OSError: the runtime is not installed, or cannot be loaded here.
    """

    def __init__(self, path: Path):
        runtime = importlib.import_module(RUNTIME)
        with silenced():
            interpreter = runtime.Interpreter(str(path), num_threads=cores())
            interpreter.allocate_tensors()
            self._run = interpreter.get_signature_runner("serving_default")
        self._turn = threading.Lock()
        self.input_shape = _shape(self._run.get_input_details()["images"])
        self.output_shape = _shape(self._run.get_output_details()["probabilities"])

    def predict_on_batch(self, images: np.ndarray) -> np.ndarray:
        """Return the probabilities of images, uint8 [n, height, width, channels]: float32 [n, classes]."""
        starts = range(0, len(images), BATCH)
        with self._turn:
            parts = [self._run(images=images[start : start + BATCH])["probabilities"] for start in starts]
        return np.concatenate(parts)


def _shape(details: dict[str, Any]) -> tuple[int | None, ...]:
    return tuple(None if side < 0 else int(side) for side in details["shape_signature"])


def is_quicker(images: int | None = None) -> bool:
    """Return whether LiteRT has the probabilities of so many images, or of any number, sooner than Keras.

    Where TensorFlow has been imported, Keras has lost nothing by it; and a GPU is worth its import for more than one batch.
    """
    is_one_batch = images is not None and images <= BATCH
    return "tensorflow" not in sys.modules and (is_one_batch or not may_have_gpu())


def graph_file(model: Path, class_names: Sequence[str], multi_label: bool) -> Path | None:
    """Return where the graph of a `model.keras` is kept, whether it is there or not; None if the model is too large for one.

    Its name is a digest of the model, and of what else decides which probabilities are its outputs.
    """
    if model.stat().st_size > LARGEST:
        return None
    decisive = [GRAPH_VERSION, __version__, digest_of_file(model), list(class_names), multi_label]
    digest = hashlib.sha256(json.dumps(decisive).encode()).hexdigest()
    return cache_folder() / FOLDER / f"{digest[:40]}.tflite"


def load_graph(file: Path) -> LiteRtModel | None:
    """Return the network in a graph file; None if there is none, or no runtime for it. A damaged file is removed."""
    try:
        if not file.stat().st_size:
            return None
        network = LiteRtModel(file)
    except (ImportError, OSError):
        return None
    except (ValueError, RuntimeError, KeyError):
        _remove(file)
        return None
    with suppress(OSError):  # a cache that cannot be written can be used
        os.utime(file)  # it is used
    return network


def keep_graph(model: keras.Model, file: Path) -> bool:
    """Make the graph of a model for the next time, unless it is there already; return whether there is one now.

    It is kept only if a batch of images fits in memory, and if its probabilities are those of the model, which half precision,
    for example, prevents. An empty file in its place says that a model has none. Where the runtime is not installed or the cache
    cannot be written, nothing is done.

    Args:
        model: from uint8 images to probabilities, of ordinary layers.
        file: of `graph_file`.
    """
    try:
        importlib.import_module(RUNTIME)
        if file.exists():
            return file.stat().st_size > 0
        with temporary_folder(file.parent, file.name) as folder:
            made = folder / file.name
            write_bytes(file, made.read_bytes() if _make(model, made) else b"")
        _remove_unused(file.parent)
        return file.stat().st_size > 0
    except (ImportError, OSError, MemoryError, RunError):
        return False


def _remove_unused(folder: Path) -> None:
    """Remove the graphs that were used least recently, so that all together have at most `KEPT` bytes."""
    total = 0
    for file in sorted(folder.glob("*.tflite"), key=os.path.getmtime, reverse=True):
        total += file.stat().st_size
        if total > KEPT:
            _remove(file)


def _remove(file: Path) -> None:
    with suppress(OSError):  # Windows keeps a file that a process uses
        file.unlink()


def _make(model: keras.Model, path: Path) -> bool:
    """Write the graph; return whether it gives the probabilities of the model.

    None is written for a model of which `BATCH` images would take too much memory.
    """
    from kerasexp.saving.float32_model import float32_copy

    if most_at_once(model) < BATCH:
        return False
    try:
        with silenced():
            write_graph(float32_copy(model), path)
        images = _images(model.input_shape[1:])
        expected = np.asarray(model.predict_on_batch(images), np.float32)
        found = LiteRtModel(path).predict_on_batch(images)
    except (OSError, MemoryError):  # which another time need not have
        raise
    except Exception:  # converters raise exceptions of many types
        return False
    return found.shape == expected.shape and bool(np.abs(found - expected).max() <= TOLERANCE)


def write_graph(model: keras.Model, path: Path) -> None:
    """Write a model of `float32_copy` as a `.tflite` file.

    Only LiteRT's own operations are allowed: a model that needs those of TensorFlow fails here instead of on a device.
    """
    import tensorflow as tf

    from kerasexp.saving.float32_model import input_signature

    builtins = {"supported_ops": [tf.lite.OpsSet.TFLITE_BUILTINS]}
    model.export(
        str(path), format="litert", verbose=False, input_signature=input_signature(model), target_spec=builtins
    )


def _images(shape: tuple[int, int, int]) -> np.ndarray:
    """Return images to compare on, uint8 [n, *shape]: a bright square, with more and more noise, which lowers confidence."""
    noise = np.random.default_rng(0).integers(0, 256, (COMPARED, *shape))
    square = np.zeros((1, *shape))
    square[:, shape[0] // 4 : -(shape[0] // 4) or None, shape[1] // 4 : -(shape[1] // 4) or None] = 255
    share = np.linspace(0, 1, COMPARED)[:, None, None, None]
    return np.rint((1 - share) * square + share * noise).astype(np.uint8)
