"""The formats in which a classifier can leave Keras: one file per format, and this dict of their names.

Each of them takes uint8 images [n, height, width, channels] by the name `images`, any number of them, gives float32
`probabilities` [n, classes], and carries its description (`description.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kerasexp.export.litert import load_litert, write_litert
from kerasexp.export.onnx import load_onnx, write_onnx
from kerasexp.export.saved_model import load_saved_model, write_saved_model

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class ExportFormat:
    """One format.

    Attributes:
        ending: of its files' names; the default name of a folder ends like this.
        folder: whether it is a folder.
        write: is given the model as `portable` makes it, the description, and where to.
        load: returns the function from images to probabilities that a path holds.
        extra: the extra that it needs.
    """

    ending: str
    folder: bool
    write: Callable[[keras.Model, dict[str, Any], Path], None]
    load: Callable[[Path], Callable[[np.ndarray], np.ndarray]]
    extra: str | None = None


FORMATS = {
    "tf_saved_model": ExportFormat("_saved_model", True, write_saved_model, load_saved_model),
    "litert": ExportFormat(".tflite", False, write_litert, load_litert),
    "onnx": ExportFormat(".onnx", False, write_onnx, load_onnx, extra="onnx"),
}
