"""ONNX: one file, for ONNX Runtime and other readers."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kerasexp.export.export_metadata import as_json
from kerasexp.export.float32_model import input_signature

if TYPE_CHECKING:
    import keras


def write_onnx(model: keras.Model, metadata: dict[str, Any], path: Path) -> None:
    """Write the `.onnx` file; each item of the metadata is JSON under its own key of `metadata_props`."""
    import onnx

    _register_tf2onnx_handlers()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # NumPy warns of Keras's workaround for tf2onnx
        model.export(str(path), format="onnx", verbose=False, input_signature=input_signature(model))
    graph = onnx.load(path)
    onnx.helper.set_model_props(graph, {key: as_json(value) for key, value in metadata.items()})
    for end in (*graph.graph.input, *graph.graph.output):
        end.type.tensor_type.shape.dim[0].dim_param = "n"
    onnx.checker.check_model(graph)
    onnx.save(graph, path)


def load_onnx(path: Path) -> Callable[[np.ndarray], np.ndarray]:
    """Return the function from images to probabilities."""
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return lambda images: session.run(["probabilities"], {"images": images})[0]


def _register_tf2onnx_handlers() -> None:
    """Add two operations that tf2onnx lacks: erfc, which GELU uses, and expm1, which CELU uses."""
    from tf2onnx.handler import tf_op
    from tf2onnx.utils import make_name

    def handler(kind: str, one_first: bool) -> Callable[..., None]:
        def handle(graph: Any, node: Any, **options: Any) -> None:
            types = {"shapes": node.output_shapes, "dtypes": node.output_dtypes}
            graph.remove_node(node.name)
            value = graph.make_node(kind, node.input, **types).output[0]
            one = graph.make_const(make_name("one"), np.array(1, np.float32)).output[0]
            graph.make_node("Sub", [one, value] if one_first else [value, one], outputs=node.output, **types)

        return handle

    tf_op("Erfc").register_compat_handler(handler("Erf", one_first=True), version=9)
    tf_op("Expm1").register_compat_handler(handler("Exp", one_first=False), version=9)
