"""Building Keras models from checked graphs: first a dry run that allocates no memory, then the model."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from kerasexp.saving.allowed_layers import origin
from kerasexp.saving.image_memory import MAX_OUTPUT, MAX_TOTAL, numbers_inside
from kerasexp.saving.model_file_graph import INPUT, SEQUENTIAL, Graph, Node
from kerasexp.saving.model_file_refusal import Refused, refusing

if TYPE_CHECKING:
    import keras

Check = Callable[[Node, Any, Any], None]


def build(graph: Graph, check: Check | None = None) -> keras.Model:
    """Build the model layer by layer, as a functional one.

    Args:
        graph: the checked graph.
        check: receives each node, its layer (None for an input) and its output, before the next layer is created.

    Raises:
        Refused: Keras cannot create a layer of this class with these arguments, or call it on its inputs.
    """
    import keras

    tensors: dict[str, Any] = {}
    for node in graph.nodes:
        with refusing(f"Keras cannot build {node.name!r}"):
            layer, tensors[node.name] = _called(node, tensors, check)
            if check is not None:
                check(node, layer, tensors[node.name])
    with refusing(f"Keras cannot build {graph.name!r}"):
        return keras.Model(tensors[graph.input], tensors[graph.output], name=graph.name, trainable=graph.trainable)


def dry_run(graph: Graph, numbers: int) -> None:
    """Build and call the model without memory for weights and outputs, and check how much memory it would take.

    In a stateless scope Keras knows the shapes of variables and creates none; in a graph TensorFlow computes nothing. Keras
    keeps a list per thread of variables to be created later; that of the dry run ends with its own thread.

    Raises:
        Refused: a layer's output for one image is too large or of unknown size; all outputs together are too large; the
            layers declare more weights than `numbers`; or Keras cannot build or call the model.
    """
    left, total = numbers, 0

    def check(node: Node, layer: Any, output: Any) -> None:
        nonlocal left, total
        sides = output.shape[1:]
        if layer is None and None in sides:  # the input, of images of any size
            return
        if None in sides or math.prod(sides) > MAX_OUTPUT:
            of_node = f"the output of {node.name!r} for one image is {tuple(sides)}"
            raise Refused(f"{of_node}; at most {MAX_OUTPUT:,} numbers are accepted")
        inside = 0 if layer is None else numbers_inside(layer)
        if inside > MAX_OUTPUT:
            raise Refused(f"{node.name!r} computes more than {MAX_OUTPUT:,} numbers for one image on its way")
        total += max(math.prod(sides), inside)
        if total > MAX_TOTAL:
            raise Refused(f"the outputs of all layers for one image have more than {MAX_TOTAL:,} numbers together")
        if node.model is None and layer is not None:  # a model that is used as a layer: its layers were counted
            declared = sum(math.prod(weight.shape) for weight in layer.weights)
            if declared > left:
                held = f"model.weights.h5 holds {left:,} for it and the layers after it"
                raise Refused(f"{node.name!r} declares {declared:,} weights; {held}")
            left -= declared

    def build_and_call() -> None:
        import keras
        import tensorflow as tf

        with keras.StatelessScope(initialize_variables=False), tf.Graph().as_default():
            model = build(graph, check)
            images = tf.compat.v1.placeholder(model.inputs[0].dtype, model.inputs[0].shape)
            with refusing(f"Keras cannot call {graph.name!r}"):
                model(images, training=False)

    with ThreadPoolExecutor(max_workers=1) as thread:
        thread.submit(build_and_call).result()


def _called(node: Node, tensors: dict[str, Any], check: Check | None) -> tuple[Any, Any]:
    """Return a node's layer, None for an input, and its output."""
    import keras

    if node.kind == INPUT:
        return None, keras.Input(**node.config)
    layer = _layer(node, check)
    inputs = [tensors[name] for name in node.inputs]
    options = {} if node.training is None else {"training": node.training}
    return layer, layer(inputs if node.listed else inputs[0], **options)


def _layer(node: Node, check: Check | None) -> keras.layers.Layer:
    """Return the layer of a node; a model that is used as a layer is built as the kind that its weights are saved for."""
    import keras

    if node.model is not None:
        # A check needs the output of each layer. Without one, no layer of a sequential model is called but by the model.
        return _sequential(node.model) if node.kind == SEQUENTIAL and check is None else build(node.model, check)
    module, registered = origin(node.kind)
    content = {"module": module, "class_name": node.kind, "config": node.config, "registered_name": registered}
    return keras.saving.deserialize_keras_object(copy.deepcopy(content), safe_mode=True)


def _sequential(graph: Graph) -> keras.Sequential:
    import keras

    first, *others = graph.nodes
    layers = [keras.layers.InputLayer(**first.config), *(_layer(node, None) for node in others)]
    return keras.Sequential(layers, name=graph.name, trainable=graph.trainable is not False)
