"""A TensorFlow SavedModel: a folder, for TensorFlow Serving and whatever else runs TensorFlow."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kerasexp.export.description import DESCRIPTION, as_json
from kerasexp.export.portable import signature

if TYPE_CHECKING:
    import keras

# The folder that SavedModel sets aside for what its user wants to travel along.
EXTRA = "assets.extra"


def write_saved_model(model: keras.Model, description: dict[str, Any], path: Path) -> None:
    """Write the folder; its signature is `serving_default`, and the description lies in `assets.extra`."""
    model.export(str(path), format="tf_saved_model", verbose=False, input_signature=signature(model))
    (path / EXTRA).mkdir()
    (path / EXTRA / DESCRIPTION).write_text(as_json(description), encoding="ascii")


def load_saved_model(path: Path) -> Callable[[np.ndarray], np.ndarray]:
    """Return the function from images to probabilities."""
    import tensorflow as tf

    loaded = tf.saved_model.load(str(path))
    serve = loaded.signatures["serving_default"]

    def predict(images: np.ndarray, keep=loaded) -> np.ndarray:  # the signature lives only as long as what it is of
        return serve(images=tf.constant(images))["probabilities"].numpy()

    return predict
