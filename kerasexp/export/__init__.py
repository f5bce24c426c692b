"""The export formats: one file per format, and a registry by name.

Every exported model has an input `images`, uint8 [n, height, width, channels] with any n, an output `probabilities`,
float32 [n, classes], and its metadata (`export_metadata.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kerasexp.export.to_litert import load_litert, quantize_litert, write_litert
from kerasexp.export.to_onnx import load_onnx, quantize_onnx, write_onnx
from kerasexp.export.to_saved_model import load_encoded, load_saved_model, write_saved_model

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class ExportFormat:
    """One format.

    Attributes:
        ending: of the name of the exported file or folder.
        folder: whether it is a folder.
        write: saves a model of `float32_copy` with its metadata to a path.
        load: returns the function from images to probabilities of an exported path.
        extra: the extra of the package that it needs.
        any_size: whether a model of raw images takes images of any size.
        precise: the most precise dtype that it has.
        quantize: saves a model of fewer bits; its arguments are those of `write` with the kind and a function that yields
            images for the calibration before the path. None if the format has none.
        load_encoded: returns the function from the bytes of image files to probabilities; None if there is none.
    """

    ending: str
    folder: bool
    write: Callable[[keras.Model, dict[str, Any], Path], None]
    load: Callable[[Path], Callable[[np.ndarray], np.ndarray]]
    extra: str | None = None
    any_size: bool = False
    precise: str = "float64"
    quantize: Callable[..., None] | None = None
    load_encoded: Callable[[Path], Callable[[list[bytes]], np.ndarray]] | None = None


FORMATS = {
    "tf_saved_model": ExportFormat(
        "_saved_model", True, write_saved_model, load_saved_model, any_size=True, load_encoded=load_encoded
    ),
    "litert": ExportFormat(".tflite", False, write_litert, load_litert, precise="float32", quantize=quantize_litert),
    "onnx": ExportFormat(".onnx", False, write_onnx, load_onnx, extra="onnx", quantize=quantize_onnx),
}
