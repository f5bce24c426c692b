"""TensorFlow SavedModel: a folder, for TensorFlow Serving and TensorFlow."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kerasexp.export.export_metadata import METADATA, as_json
from kerasexp.export.float32_model import input_signature

if TYPE_CHECKING:
    import keras

# The folder of a SavedModel that is reserved for the user's own files.
EXTRA = "assets.extra"


def write_saved_model(model: keras.Model, metadata: dict[str, Any], path: Path) -> None:
    """Write the folder, with the signature `serving_default` and the metadata in `assets.extra`."""
    model.export(str(path), format="tf_saved_model", verbose=False, input_signature=input_signature(model))
    (path / EXTRA).mkdir()
    (path / EXTRA / METADATA).write_text(as_json(metadata), encoding="ascii")


def load_saved_model(path: Path) -> Callable[[np.ndarray], np.ndarray]:
    """Return the function from images to probabilities."""
    import tensorflow as tf

    loaded = tf.saved_model.load(str(path))
    serve = loaded.signatures["serving_default"]

    def predict(images: np.ndarray, keep=loaded) -> np.ndarray:  # the signature is valid only while `loaded` exists
        return serve(images=tf.constant(images))["probabilities"].numpy()

    return predict
