"""A LiteRT model (once TensorFlow Lite): one file, for phones and small devices."""

from __future__ import annotations

import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kerasexp.export.description import DESCRIPTION, as_json
from kerasexp.export.portable import signature

if TYPE_CHECKING:
    import keras


def write_litert(model: keras.Model, description: dict[str, Any], path: Path) -> None:
    """Write the `.tflite` file.

    It needs no other operations than LiteRT's own: a model that wants TensorFlow's beside them is refused here, since it
    would fail on a device. The description is appended as a zip archive, as LiteRT's own metadata tools append labels:
    readers of the model pass over it, and readers of archives find it.
    """
    import tensorflow as tf

    own = {"supported_ops": [tf.lite.OpsSet.TFLITE_BUILTINS]}
    model.export(str(path), format="litert", verbose=False, input_signature=signature(model), target_spec=own)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(DESCRIPTION, as_json(description))


def load_litert(path: Path) -> Callable[[np.ndarray], np.ndarray]:
    """Return the function from images to probabilities."""
    import tensorflow as tf

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that the interpreter will move to a package of its own
        run = tf.lite.Interpreter(str(path)).get_signature_runner("serving_default")
    return lambda images: run(images=images)["probabilities"]
