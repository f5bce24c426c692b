"""ONNX: one file, for ONNX Runtime and other readers."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kerasexp.export.export_metadata import as_json
from kerasexp.saving.float32_model import input_signature
from kerasexp.saving.raw_images import preprocessing_layer

if TYPE_CHECKING:
    import keras


def write_onnx(model: keras.Model, metadata: dict[str, Any], path: Path) -> None:
    """Write the `.onnx` file; each item of the metadata is JSON under its own key of `metadata_props`."""
    import onnx

    _register_tf2onnx_handlers()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # NumPy warns of Keras's workaround for tf2onnx
        model.export(str(path), format="onnx", verbose=False, input_signature=input_signature(model))
    _finish(onnx.load(path), metadata, path)


def _finish(graph: Any, metadata: dict[str, Any], path: Path) -> None:
    """Save a model with its metadata, and `n` for the number of images."""
    import onnx

    onnx.helper.set_model_props(graph, {key: as_json(value) for key, value in metadata.items()})
    for end in (*graph.graph.input, *graph.graph.output):
        end.type.tensor_type.shape.dim[0].dim_param = "n"
    onnx.checker.check_model(graph)
    onnx.save(graph, path)


def quantize_onnx(
    model: keras.Model,
    metadata: dict[str, Any],
    kind: str,
    calibration: Callable[[], Iterator[np.ndarray]],
    path: Path,
) -> None:
    """Write the `.onnx` file with a network of fewer bits, by onnxruntime's tools. The preprocessing keeps its precision.

    Args:
        model, metadata, path: as of `write_onnx`.
        kind: int8: weights and activations of 8 bits, calibrated; dynamic: weights of 8 bits; float16: all of 16 bits.
        calibration: yields batches of one image.
    """
    import onnx
    from onnxruntime import quantization
    from onnxruntime.quantization.shape_inference import quant_pre_process

    with tempfile.TemporaryDirectory() as folder:
        plain, result = Path(folder, "plain.onnx"), Path(folder, "result.onnx")
        write_onnx(model, metadata, plain)
        if kind == "float16":
            return _finish(_half(onnx.load(plain), model), metadata, path)
        ready = Path(folder, "ready.onnx")
        quant_pre_process(str(plain), str(ready), skip_symbolic_shape=True)
        kept = _nodes_of_preprocessing(onnx.load(ready), model)
        if kind == "dynamic":
            unsigned = quantization.QuantType.QUInt8  # the only type of convolutions without calibration
            quantization.quantize_dynamic(str(ready), str(result), weight_type=unsigned, nodes_to_exclude=kept)
        else:
            quantization.quantize_static(
                str(ready),
                str(result),
                _reader(calibration()),
                quant_format=quantization.QuantFormat.QOperator,
                per_channel=True,
                nodes_to_exclude=kept,
                activation_type=quantization.QuantType.QUInt8,
                weight_type=quantization.QuantType.QInt8,
            )
        _finish(onnx.load(result), metadata, path)


def _half(graph: Any, model: keras.Model) -> Any:
    """Return a model whose network is in float16.

    onnxruntime's tool rounds what passes between nodes that it is told to keep, so the preprocessing is cut off for its time.
    """
    import onnx
    from onnx import compose
    from onnxruntime.transformers.float16 import convert_float_to_float16
    from onnxruntime.transformers.onnx_model import OnnxModel

    def converted(network: Any) -> Any:
        half = OnnxModel(convert_float_to_float16(network, keep_io_types=True))
        half.topological_sort()  # the casts have been appended at the end
        return half.model

    kept = set(_nodes_of_preprocessing(graph, model))
    if not kept:
        return converted(graph)
    made = {name for node in graph.graph.node if node.name in kept for name in node.output}
    used = {name for node in graph.graph.node if node.name not in kept for name in node.input}
    (images,) = made & used
    extractor = onnx.utils.Extractor(onnx.shape_inference.infer_shapes(graph))
    before = extractor.extract_model(["images"], [images])
    after = converted(extractor.extract_model([images], ["probabilities"]))
    others = ("inputs", "outputs", "edges", "nodes", "value_infos")
    alone = {f"rename_{key}": False for key in others}
    after = compose.add_prefix(after, "half_", **alone)  # the two may share constants
    for part in (before, after):
        del part.graph.value_info[:]  # hints, which may not be given twice
    return compose.merge_models(before, after, io_map=[(images, images)])


def _reader(batches: Iterator[np.ndarray]) -> Any:
    """Return onnxruntime's reader of calibration images."""
    from onnxruntime.quantization import CalibrationDataReader

    class Reader(CalibrationDataReader):
        def get_next(self) -> dict[str, np.ndarray] | None:
            return next(({"images": images} for images in batches), None)

    return Reader()


def _nodes_of_preprocessing(graph: Any, model: keras.Model) -> list[str]:
    """Return the names of the nodes that the preprocessing consists of: those with its name, and all before them."""
    if (layer := preprocessing_layer(model)) is None:
        return []
    makers = {output: node for node in graph.graph.node for output in node.output}
    waiting = [node for node in graph.graph.node if f"/{layer.name}" in node.name]
    found: dict[str, Any] = {}
    while waiting:
        node = waiting.pop()
        if node.name not in found:
            found[node.name] = node
            waiting += [makers[name] for name in node.input if name in makers]
    return list(found)


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
