"""The graph that a model's config.json describes: layers in order, each called once on layers before it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from kerasexp.saving.allowed_layers import INPUT, check_module, checked_layer, checked_object
from kerasexp.saving.model_file_refusal import Refused

# EfficientNetV2-L has 1,031 layers; Keras itself cannot build a chain of 1,500. NASNet merges six layers.
MAX_LAYERS, MAX_DEPTH, MAX_INPUTS = 2000, 4, 256
FUNCTIONAL, SEQUENTIAL = "Functional", "Sequential"
# Kind of model -> its module, and the name under which it is registered.
MODELS = {FUNCTIONAL: ("keras.src.models.functional", FUNCTIONAL), SEQUENTIAL: ("keras", None)}
# `x + y` and `x * y` -> the layer that computes the same for two tensors, and the arguments of Rescaling for a number.
OPERATIONS_MODULE = "keras.src.ops.numpy"
OPERATIONS = {
    "Add": lambda number: {"scale": 1.0, "offset": number},
    "Multiply": lambda number: {"scale": number, "offset": 0.0},
}
# Layers whose argument `training` is True by default, also in a file. In a prediction that does not say otherwise, the layers after
# them would take it over: batch normalisation would normalise by the batch, and change its statistics.
CALLED_IN_TRAINING = {"Resizing"}
NAME = re.compile(r"[^/\x00-\x1f\x7f-\x9f]{1,200}")


@dataclass(frozen=True)
class Node:
    """A layer and its one call.

    Attributes:
        name: unique in the graph.
        kind: the layer's class; `InputLayer`; or `Functional` or `Sequential` for a model that is used as a layer.
        config: the layer's arguments.
        model: the graph of a model that is used as a layer; else None.
        inputs: names of the layers whose outputs it is called on.
        listed: whether it is called on a list, as merging layers are.
        training: the fixed argument `training` of the call, or None.
    """

    name: str
    kind: str
    config: dict[str, Any]
    model: Graph | None
    inputs: tuple[str, ...]
    listed: bool
    training: bool | None


@dataclass(frozen=True)
class Graph:
    """A model of one input and one output; each node of a sequential one is called on the node before it."""

    name: str
    kind: str
    trainable: bool | None
    nodes: tuple[Node, ...]
    input: str
    output: str

    def __len__(self) -> int:
        return sum(1 + (len(node.model) if node.model else 0) for node in self.nodes)


def read_graph(content: dict[str, Any]) -> Graph:
    """Return the graph of a `config.json`; it contains nothing that was not checked.

    `build_config` and `compile_config` are not read: how layers are built follows from the graph.

    Raises:
        Refused: it is not a functional or sequential model of allowed layers in an acyclic graph.
    """
    graph = _graph(content, "config.json", 0)
    if len(graph) > MAX_LAYERS:
        raise Refused(f"config.json has {len(graph):,} layers; at most {MAX_LAYERS:,} are accepted")
    return graph


def _graph(content: Any, where: str, depth: int) -> Graph:
    content = checked_object(content, where)
    kind = content.get("class_name")
    if not isinstance(kind, str) or kind not in MODELS:
        raise Refused(f"{where}: {kind!r:.80} is not a functional or sequential model, the only kinds accepted")
    module, registered_name = MODELS[kind]
    check_module(content, module, where, registered_name)
    if depth > MAX_DEPTH:
        raise Refused(f"{where}: models are nested deeper than {MAX_DEPTH}")
    config = checked_object(content.get("config"), where)
    entries, trainable = config.get("layers"), config.get("trainable")
    if not isinstance(entries, list) or not isinstance(trainable, bool | None):
        raise Refused(f"{where}: layers is not a list, or trainable is not true, false or null")
    if kind == SEQUENTIAL:
        entries = list(_chained(entries, where))
    nodes: dict[str, Node] = {}
    for entry in entries:
        node = _node(entry, nodes, where, depth)
        nodes[node.name] = node
    if kind == SEQUENTIAL:
        names = list(nodes)
        config = {**config, "input_layers": [names[0], 0, 0], "output_layers": [names[-1], 0, 0]}
    ends = [_source_layer(config.get(key), nodes, f"{where}: {key}") for key in ("input_layers", "output_layers")]
    inputs = [node.name for node in nodes.values() if node.kind == INPUT]
    if inputs != ends[:1]:
        raise Refused(f"{where}: has {len(inputs)} input layers; it must have exactly one, which is its input")
    return Graph(_name(config.get("name"), where), kind, trainable, tuple(nodes.values()), *ends)


def _chained(entries: list[Any], where: str) -> Iterator[dict[str, Any]]:
    """Yield the layers of a sequential model with the names and calls that they would have in a functional one."""
    if not entries or checked_object(entries[0], where).get("class_name") != INPUT:
        raise Refused(f"{where}: the sequential model has no input layer; give it one, or call it, before it is saved")
    before = None
    for entry in entries:
        entry = checked_object(entry, where)
        tensor = {"class_name": "__keras_tensor__", "config": {"keras_history": [before, 0, 0]}}
        calls = [] if before is None else [{"args": [tensor], "kwargs": {}}]
        before = _name(checked_object(entry.get("config"), where).get("name"), where)
        yield {**entry, "name": before, "inbound_nodes": calls}


def _node(entry: Any, before: dict[str, Node], where: str, depth: int) -> Node:
    entry = checked_object(entry, where)
    name = _name(entry.get("name"), where)
    where = f"{where}: {name}"
    if entry.get("module") == OPERATIONS_MODULE:
        entry = _operation_as_layer(entry, where)
    kind = entry.get("class_name")
    if name in before:
        raise Refused(f"{where}: two layers have this name")
    if checked_object(entry.get("config"), where).get("name") != name:
        raise Refused(f"{where}: its config says {entry['config'].get('name')!r:.80}")
    model, config = None, {}
    if isinstance(kind, str) and kind in MODELS:
        model = _graph(entry, where, depth + 1)
    else:
        config = checked_layer(entry, where)
    calls = entry.get("inbound_nodes")
    if not isinstance(calls, list) or len(calls) != (0 if kind == INPUT else 1):
        raise Refused(f"{where}: each layer must be called once, and an input never")
    inputs, listed, training = _call(calls[0], before, where) if calls else ((), False, None)
    if kind in CALLED_IN_TRAINING:
        training = False
    return Node(name, kind, config, model, inputs, listed, training)


def _operation_as_layer(entry: dict[str, Any], where: str) -> dict[str, Any]:
    """Return, in place of the operation `x + y` or `x * y`, a layer that computes the same; it is checked like any other."""
    kind, name, calls = entry.get("class_name"), entry["name"], entry.get("inbound_nodes")
    if not isinstance(kind, str) or kind not in OPERATIONS or not isinstance(calls, list) or len(calls) != 1:
        raise Refused(f"{where}: the operation {kind!r:.80} is not accepted; those that are: {', '.join(OPERATIONS)}")
    call = checked_object(calls[0], where)
    arguments = call.get("args") if isinstance(call.get("args"), list) else []
    numbers = [value for value in arguments if type(value) in (int, float)]
    tensors = [value for value in arguments if isinstance(value, dict)]
    if not tensors or len(arguments) != 2 or len(numbers) + len(tensors) != 2 or call.get("kwargs"):
        raise Refused(f"{where}: the operation {kind} must be called on two tensors, or on a tensor and a number")
    dtype = checked_object(tensors[0].get("config"), where).get("dtype")
    config = {"name": name, "dtype": dtype, **(OPERATIONS[kind](numbers[0]) if numbers else {})}
    layer = {"module": "keras.layers", "class_name": "Rescaling" if numbers else kind, "config": config, "name": name}
    return {**layer, "inbound_nodes": [{"args": tensors if numbers else [tensors], "kwargs": {}}]}


def _call(call: Any, before: dict[str, Node], where: str) -> tuple[tuple[str, ...], bool, bool | None]:
    call = checked_object(call, where)
    arguments, options = call.get("args"), checked_object(call.get("kwargs"), where)
    if not isinstance(arguments, list) or len(arguments) != 1:
        raise Refused(f"{where}: a layer must be called on one tensor or on one list of tensors")
    if options.keys() - {"mask", "training"} or options.get("mask") is not None:
        raise Refused(f"{where}: is called with {', '.join(sorted(options))!r:.100}; only training is accepted")
    training = options.get("training")
    if not isinstance(training, bool | None):
        raise Refused(f"{where}: training is {training!r:.100}, and must be true, false or null")
    listed = isinstance(arguments[0], list)
    tensors = arguments[0] if listed else arguments
    if len(tensors) > MAX_INPUTS:
        raise Refused(f"{where}: is called on {len(tensors):,} tensors; at most {MAX_INPUTS} are accepted")
    return tuple(_tensor_source(tensor, before, where) for tensor in tensors), listed, training


def _tensor_source(tensor: Any, before: dict[str, Node], where: str) -> str:
    tensor = checked_object(tensor, where)
    if tensor.get("class_name") != "__keras_tensor__":
        raise Refused(f"{where}: is called on {tensor.get('class_name')!r:.80}; only tensors are accepted")
    return _source_layer(checked_object(tensor.get("config"), where).get("keras_history"), before, where)


def _source_layer(history: Any, nodes: dict[str, Node], where: str) -> str:
    """Return the layer that a tensor comes from; `history` is `[name, call, output]`, or a list of that alone."""
    if isinstance(history, list) and len(history) == 1:
        history = history[0]
    if not isinstance(history, list) or len(history) != 3 or history[2] != 0:
        raise Refused(f"{where}: {history!r:.100} is not the single output of a layer")
    if not isinstance(history[0], str) or history[0] not in nodes:
        raise Refused(f"{where}: refers to {history[0]!r:.80}, which is not a layer before it")
    return history[0]


def _name(value: Any, where: str) -> str:
    if not isinstance(value, str) or not NAME.fullmatch(value):
        raise Refused(f"{where}: {value!r:.80} is not a valid name of a layer")
    return value
