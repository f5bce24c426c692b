"""LiteRT (formerly TensorFlow Lite): one file, for phones and small devices."""

from __future__ import annotations

import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kerasexp.export.export_metadata import METADATA, as_json
from kerasexp.export.float32_model import input_signature

if TYPE_CHECKING:
    import keras


def write_litert(model: keras.Model, metadata: dict[str, Any], path: Path) -> None:
    """Write the `.tflite` file.

    Only LiteRT's own operations are allowed: a model that needs those of TensorFlow fails here instead of on a device. The
    metadata are appended as a zip archive, as LiteRT's own tools append labels: readers of models ignore it.
    """
    import tensorflow as tf

    builtins = {"supported_ops": [tf.lite.OpsSet.TFLITE_BUILTINS]}
    model.export(
        str(path), format="litert", verbose=False, input_signature=input_signature(model), target_spec=builtins
    )
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(METADATA, as_json(metadata))


def load_litert(path: Path) -> Callable[[np.ndarray], np.ndarray]:
    """Return the function from images to probabilities."""
    import tensorflow as tf

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the interpreter will move to another package
        run = tf.lite.Interpreter(str(path)).get_signature_runner("serving_default")
    return lambda images: run(images=images)["probabilities"]
