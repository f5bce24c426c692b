"""What a model's outputs are: probabilities, or values that a layer turns into probabilities."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from kerasexp.saving.allowed_layers import INPUT, own_layer
from kerasexp.saving.model_file_graph import Graph, Node
from kerasexp.saving.model_file_refusal import Refused

if TYPE_CHECKING:
    import keras

SOFTMAX, LINEAR, MIXED = "softmax", "linear", "mixed"
# With these, a single output is the probability of the second of two classes.
SIGMOIDS = {"sigmoid", "hard_sigmoid"}
# A softmax turns these into the probabilities that they stand for.
LOGITS = {LINEAR, "log_softmax"}
# Layers that change nothing in a prediction.
TRANSPARENT = {"Dropout", "GaussianDropout", "GaussianNoise", "Identity", "SpatialDropout2D"}
# Layers that are an activation.
ACTIVATION_LAYERS = {"ELU": "elu", "LeakyReLU": "leaky_relu", "PReLU": "prelu", "ReLU": "relu", "Softmax": SOFTMAX}
NOISE_IMAGES, TOLERANCE = 6, 1e-2  # bfloat16 has less than three digits


def with_probabilities(model: keras.Model, graph: Graph, class_names: Sequence[str]) -> tuple[keras.Model, str | None]:
    """Return a model whose outputs are probabilities of the classes, and a sentence on what was added; None if nothing was.

    A final softmax is found in the graph. Other outputs are checked on images of noise; logits get a softmax. One output for
    two classes becomes two columns.

    Raises:
        Refused: the outputs are not known to be probabilities, and no layer makes them so.
    """
    seen = output_activation(graph)
    if model.output_shape == (None, 1) and len(class_names) == 2:
        return _two_columns(model, seen, class_names[1])
    if seen == SOFTMAX or model.output_shape != (None, len(class_names)):  # the caller checks the shape
        return model, None
    if seen in SIGMOIDS:
        several = f"a {seen} for each of {len(class_names)} classes, so that an image may have several classes or none"
        raise Refused(f"its outputs are {several}; end it in a softmax, or write multi_label: true in classes.json")
    outputs = _outputs_for_noise(model)
    if outputs.min() >= -TOLERANCE and np.abs(outputs.sum(axis=1) - 1).max() <= TOLERANCE:
        return model, None
    if seen in LOGITS:
        return _ending_in(model, "softmax"), "the model gives logits; a softmax was added"
    found = f"for images of noise they are from {outputs.min():.3g} to {outputs.max():.3g}"
    raise Refused(
        f"its outputs are not probabilities: {found}, and their last activation is {seen}; end it in a softmax"
    )


def with_label_probabilities(model: keras.Model, graph: Graph) -> tuple[keras.Model, str | None]:
    """Return a model whose outputs are a probability of each label, and a sentence on what was added; None if nothing was.

    Raises:
        Refused: the outputs are neither sigmoids nor logits.
    """
    seen = output_activation(graph)
    if seen in SIGMOIDS:
        return model, None
    if seen == LINEAR:
        return _ending_in(model, "sigmoid"), "the model gives logits; a sigmoid was added"
    raise Refused(
        f"its last activation is {seen}, and classes.json says that images may have several labels; end it in a sigmoid"
    )


def output_activation(graph: Graph, of_input: str = MIXED) -> str:
    """Return the activation that a graph's output has passed last; `of_input` is that of its input.

    `linear` if it has passed a layer with weights and no activation since; `mixed` if something else was computed from the
    outputs of an activation.
    """
    found: dict[str, str] = {}
    for node in graph.nodes:  # in the order of their calls
        found[node.name] = _activation(node, {found[name] for name in node.inputs} or {of_input})
    return found[graph.output]


def _activation(node: Node, before: set[str]) -> str:
    """Return the activation that a node's output has passed last; `before` is that of its inputs."""
    same = next(iter(before)) if len(before) == 1 else MIXED
    if node.model is not None:
        return output_activation(node.model, same)
    if node.kind == INPUT or node.kind in TRANSPARENT:
        return same
    if node.kind in ACTIVATION_LAYERS:
        is_over_classes = node.config.get("axis", -1) in (-1, 1)
        return ACTIVATION_LAYERS[node.kind] if is_over_classes else MIXED
    if node.kind == "Activation" and node.config.get("activation") in (None, LINEAR):
        return same
    if "activation" in node.config:
        return node.config["activation"] or LINEAR
    if (own := own_layer(node.kind)) is not None and own.gives_logits:
        return LINEAR
    is_neutral = node.kind == "Rescaling" and (node.config.get("scale"), node.config.get("offset", 0)) == (1, 0)
    return same if same == LINEAR or is_neutral else MIXED


def _outputs_for_noise(model: keras.Model) -> np.ndarray:
    """Return the outputs for a black image, a white one, and images of noise, float32 [n, outputs]."""
    shape = model.input_shape[1:]
    if None in shape:
        raise Refused("it takes images of any size; the model of a checkpoint takes those of its preprocessing.json")
    noise = np.random.default_rng(0).integers(0, 256, (NOISE_IMAGES, *shape))
    images = np.concatenate([np.zeros((1, *shape)), np.full((1, *shape), 255), noise]).astype(np.uint8)
    # One at a time: the memory that a model may take is limited for one image.
    outputs = np.concatenate([np.asarray(model.predict_on_batch(image[None]), np.float32) for image in images])
    if not np.isfinite(outputs).all():
        raise Refused("its outputs for images of noise are not finite: NaN or infinity")
    return outputs


def _two_columns(model: keras.Model, seen: str, positive: str) -> tuple[keras.Model, str]:
    import keras

    if seen not in {*SIGMOIDS, LINEAR}:
        raise Refused(
            f"its one output for two classes is not a probability: its last activation is {seen}, not sigmoid"
        )
    outputs = _outputs_for_noise(model)
    message = f"the model has one output, which is used as the probability of {positive!r:.80}, the second class"
    if seen == LINEAR:
        model, message = _ending_in(model, "sigmoid"), f"{message}; a sigmoid was added"
    elif outputs.min() < 0 or outputs.max() > 1:
        raise Refused("its one output for two classes is not a probability: it leaves 0..1")
    layers = keras.layers
    second = model.output
    first = layers.Rescaling(-1.0, 1.0, dtype="float32", name=_free_name(model, "first_class"))(second)
    both = layers.Concatenate(dtype="float32", name=_free_name(model, "both_classes"))([first, second])
    return keras.Model(model.input, both, name=model.name), message


def _ending_in(model: keras.Model, activation: str) -> keras.Model:
    import keras

    layer = keras.layers.Activation(activation, dtype="float32", name=_free_name(model, f"added_{activation}"))
    return keras.Model(model.input, layer(model.output), name=model.name)


def _free_name(model: keras.Model, name: str) -> str:
    taken = {layer.name for layer in model.layers}
    return next(free for free in (name + "_" * count for count in range(len(taken) + 1)) if free not in taken)
