"""TensorFlow SavedModel: a folder, for TensorFlow Serving and TensorFlow."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kerasexp.export.export_metadata import METADATA, as_json
from kerasexp.saving.float32_model import input_signature

if TYPE_CHECKING:
    import keras

# The folder of a SavedModel that is reserved for the user's own files.
EXTRA = "assets.extra"
ENCODED = "encoded"


def write_saved_model(model: keras.Model, metadata: dict[str, Any], path: Path) -> None:
    """Write the folder, with the signature `serving_default` and the metadata in `assets.extra`.

    A model of images of any size has a second signature, `encoded`: from `files`, a vector of the bytes of image files.
    """
    if None in model.input_shape[1:]:
        _write_raw(model, path)
    else:
        model.export(str(path), format="tf_saved_model", verbose=False, input_signature=input_signature(model))
    (path / EXTRA).mkdir()
    (path / EXTRA / METADATA).write_text(as_json(metadata), encoding="ascii")


def _write_raw(model: keras.Model, path: Path) -> None:
    import keras
    import tensorflow as tf

    from kerasexp.export.encoded_images import decode

    _, preprocess, classifier = model.layers  # of `raw_model`
    small = tf.TensorSpec(preprocess.output.shape[1:], tf.uint8)

    def of_files(files):
        return classifier(tf.map_fn(lambda file: preprocess(decode(file)), files, fn_output_signature=small))

    archive = keras.export.ExportArchive()
    archive.track(model)
    images = tf.TensorSpec(model.inputs[0].shape, tf.uint8, name="images")
    archive.add_endpoint("serving_default", lambda images: model(images, training=False), [images])
    archive.add_endpoint(ENCODED, of_files, [tf.TensorSpec([None], tf.string, name="files")])
    archive.write_out(str(path), verbose=False)


def load_saved_model(path: Path) -> Callable[[np.ndarray], np.ndarray]:
    """Return the function from images to probabilities."""
    serve = _signature(path, "serving_default")
    return lambda images: serve(images=images)


def load_encoded(path: Path) -> Callable[[list[bytes]], np.ndarray]:
    """Return the function from the bytes of image files to probabilities."""
    serve = _signature(path, ENCODED)
    return lambda files: serve(files=files)


def _signature(path: Path, name: str) -> Callable[..., np.ndarray]:
    import tensorflow as tf

    loaded = tf.saved_model.load(str(path))
    serve = loaded.signatures[name]

    def predict(keep=loaded, **inputs) -> np.ndarray:  # the signature is valid only while `loaded` exists
        inputs = {key: tf.constant(value) for key, value in inputs.items()}
        return serve(**inputs)["probabilities"].numpy()

    return predict
