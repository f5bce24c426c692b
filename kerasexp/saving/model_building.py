"""Keras models from checked graphs: first a rehearsal that takes no memory, then the real one."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from kerasexp.saving.allowed_layers import origin
from kerasexp.saving.model_graph import INPUT, Graph, Node
from kerasexp.saving.refusal import Refused, refusing

if TYPE_CHECKING:
    import keras

# 1 GiB in float32, for one image: 64 maps of 2048x2048, the largest image that an experiment may ask for.
MAX_OUTPUT = 2**28


def build(graph: Graph, watch: Callable[[Node, Any, Any], None] = lambda node, layer, output: None) -> keras.Model:
    """Make the model, its layers one after the other.

    Args:
        graph: what the model is made of.
        watch: is shown each node, its layer (None for an input) and what came out of it, before the next one is made.

    Raises:
        Refused: Keras cannot make a layer of this kind from these values, or call it on what comes before.
    """
    import keras

    tensors: dict[str, Any] = {}
    for node in graph.nodes:
        with refusing(f"Keras cannot build {node.name!r}"):
            layer, tensors[node.name] = _called(node, tensors, watch)
            watch(node, layer, tensors[node.name])
    with refusing(f"Keras cannot build {graph.name!r}"):
        return keras.Model(tensors[graph.input], tensors[graph.output], name=graph.name, trainable=graph.trainable)


def rehearse(graph: Graph, numbers: int) -> None:
    """Build and call the model without memory for weights and outputs, and look whether that may be done with memory.

    Within a stateless scope Keras knows its variables' shapes and makes none; within a graph TensorFlow computes nothing.
    Keras keeps variables that are still to be made per thread, so those of the rehearsal end with this one.

    Raises:
        Refused: a layer's output for one image is too large or of unknown size, the layers declare more weights than
            `numbers`, or Keras cannot build or call it.
    """
    left = numbers

    def watch(node: Node, layer: Any, output: Any) -> None:
        nonlocal left
        sides = output.shape[1:]
        if None in sides or math.prod(sides) > MAX_OUTPUT:
            raise Refused(
                f"the output of {node.name!r} for one image is {tuple(sides)}; no more than {MAX_OUTPUT:,} numbers are taken"
            )
        if node.model is None and layer is not None:  # the layers of a model that is used as a layer have been counted
            declared = sum(math.prod(weight.shape) for weight in layer.weights)
            if declared > left:
                raise Refused(
                    f"{node.name!r} declares {declared:,} weights, and model.weights.h5 holds {left:,} for it and what follows"
                )
            left -= declared

    def attempt() -> None:
        import keras
        import tensorflow as tf

        with keras.StatelessScope(initialize_variables=False), tf.Graph().as_default():
            model = build(graph, watch)
            images = tf.compat.v1.placeholder(model.inputs[0].dtype, model.inputs[0].shape)
            with refusing(f"Keras cannot call {graph.name!r}"):
                model(images, training=False)

    with ThreadPoolExecutor(max_workers=1) as thread:
        thread.submit(attempt).result()


def _called(node: Node, tensors: dict[str, Any], watch) -> tuple[Any, Any]:
    import keras

    if node.kind == INPUT:
        return None, keras.Input(**node.config)
    if node.model is not None:
        layer = build(node.model, watch)
    else:
        module, registered = origin(node.kind)
        content = {"module": module, "class_name": node.kind, "config": node.config, "registered_name": registered}
        layer = keras.saving.deserialize_keras_object(copy.deepcopy(content), safe_mode=True)
    inputs = [tensors[name] for name in node.inputs]
    options = {} if node.training is None else {"training": node.training}
    return layer, layer(inputs if node.listed else inputs[0], **options)
