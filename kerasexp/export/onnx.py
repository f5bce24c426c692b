"""An ONNX model: one file, for ONNX Runtime and whatever else reads it."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kerasexp.export.description import as_json
from kerasexp.export.portable import signature

if TYPE_CHECKING:
    import keras


def write_onnx(model: keras.Model, description: dict[str, Any], path: Path) -> None:
    """Write the `.onnx` file; each part of the description is JSON under its own key of `metadata_props`."""
    import onnx

    _teach_tf2onnx()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of NumPy, at what Keras does to let tf2onnx work with it
        model.export(str(path), format="onnx", verbose=False, input_signature=signature(model))
    graph = onnx.load(path)
    onnx.helper.set_model_props(graph, {key: as_json(value) for key, value in description.items()})
    for end in (*graph.graph.input, *graph.graph.output):
        end.type.tensor_type.shape.dim[0].dim_param = "n"
    onnx.checker.check_model(graph)
    onnx.save(graph, path)


def load_onnx(path: Path) -> Callable[[np.ndarray], np.ndarray]:
    """Return the function from images to probabilities."""
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return lambda images: session.run(["probabilities"], {"images": images})[0]


def _teach_tf2onnx() -> None:
    """Tell tf2onnx of two operations that it does not know: erfc, which GELU is made of, and expm1, which CELU is."""
    from tf2onnx.handler import tf_op
    from tf2onnx.utils import make_name

    def handler(kind: str, one_first: bool) -> Callable[..., None]:
        def handle(graph: Any, node: Any, **options: Any) -> None:
            like = {"shapes": node.output_shapes, "dtypes": node.output_dtypes}
            graph.remove_node(node.name)
            value = graph.make_node(kind, node.input, **like).output[0]
            one = graph.make_const(make_name("one"), np.array(1, np.float32)).output[0]
            graph.make_node("Sub", [one, value] if one_first else [value, one], outputs=node.output, **like)

        return handle

    tf_op("Erfc").register_compat_handler(handler("Erf", one_first=True), version=9)
    tf_op("Expm1").register_compat_handler(handler("Exp", one_first=False), version=9)
