"""LiteRT (formerly TensorFlow Lite): one file, for phones and small devices."""

from __future__ import annotations

import tempfile
import warnings
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kerasexp.export.export_metadata import METADATA, as_json
from kerasexp.saving.float32_model import input_signature
from kerasexp.saving.litert_graph import write_graph
from kerasexp.saving.raw_images import preprocessing_layer

if TYPE_CHECKING:
    import keras


def write_litert(model: keras.Model, metadata: dict[str, Any], path: Path) -> None:
    """Write the `.tflite` file.

    The metadata are appended as a zip archive, as LiteRT's own tools append labels: readers of models ignore it.
    """
    write_graph(model, path)
    _append(path, metadata)


def quantize_litert(
    model: keras.Model,
    metadata: dict[str, Any],
    kind: str,
    calibration: Callable[[], Iterator[np.ndarray]],
    path: Path,
) -> None:
    """Write the `.tflite` file with a network of fewer bits. The preprocessing keeps its precision: in 8 bits it is useless.

    Args:
        model, metadata, path: as of `write_litert`.
        kind: int8: weights and activations of 8 bits, calibrated; dynamic: weights of 8 bits; float16: weights of 16 bits.
        calibration: yields batches of one image.
    """
    import tensorflow as tf

    with tempfile.TemporaryDirectory() as folder:
        model.export(folder, format="tf_saved_model", verbose=False, input_signature=input_signature(model))
        if kind == "int8":
            names = _names_of_preprocessing(_converter(folder).convert(), model)
            converter = _optimizing(folder)
            converter.representative_dataset = lambda: ({"images": images} for images in calibration())
            options = tf.lite.experimental.QuantizationDebugOptions(denylisted_nodes=names)
            debugger = tf.lite.experimental.QuantizationDebugger(
                converter=converter, debug_dataset=converter.representative_dataset, debug_options=options
            )
            content = debugger.get_nondebug_quantized_model()
        else:
            converter = _optimizing(folder)
            if kind == "float16":
                converter.target_spec.supported_types = [tf.float16]
            content = converter.convert()
    path.write_bytes(content)
    _append(path, metadata)


def _converter(folder: str):
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=["serving_default"])
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    converter.experimental_enable_resource_variables = True
    return converter


def _optimizing(folder: str):
    import tensorflow as tf

    converter = _converter(folder)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    return converter


def _names_of_preprocessing(content: bytes, model: keras.Model) -> list[str]:
    """Return the names of the values that the preprocessing computes."""
    import tensorflow as tf

    if (layer := preprocessing_layer(model)) is None:
        return []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        interpreter = tf.lite.Interpreter(model_content=content)
    return [tensor["name"] for tensor in interpreter.get_tensor_details() if f"/{layer.name}" in tensor["name"]]


def _append(path: Path, metadata: dict[str, Any]) -> None:
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(METADATA, as_json(metadata))


def load_litert(path: Path) -> Callable[[np.ndarray], np.ndarray]:
    """Return the function from images to probabilities."""
    import tensorflow as tf

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the interpreter will move to another package
        run = tf.lite.Interpreter(str(path)).get_signature_runner("serving_default")
    return lambda images: run(images=images)["probabilities"]
