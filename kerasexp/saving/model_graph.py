"""The graph that a model's config.json describes: layers in order, each called once on layers before it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from kerasexp.saving.allowed_layers import LAYERS, OWN, builtin, checked_config, checked_input, mapping, origin
from kerasexp.saving.refusal import Refused

# EfficientNetV2-L has 1,031 layers; a chain of 1,500 is more than Keras itself can build. NASNet merges six layers.
MAX_LAYERS, MAX_DEPTH, MAX_INPUTS = 2000, 4, 256
INPUT, MODEL = "InputLayer", "Functional"
MODEL_MODULE = "keras.src.models.functional"
NAME = re.compile(r"[^/\x00-\x1f\x7f-\x9f]{1,200}")


@dataclass(frozen=True)
class Node:
    """A layer and its one call.

    Attributes:
        name: unlike any other of the graph.
        kind: the layer's class, `InputLayer`, or `Functional` for a model that is used as a layer.
        config: what the layer is made from.
        model: the graph of a model that is used as a layer.
        inputs: names of the layers that it is called on.
        listed: whether it is called on a list, as layers that merge are.
        training: what it is called with, where that is fixed.
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
    """A model of one input and one output."""

    name: str
    trainable: bool | None
    nodes: tuple[Node, ...]
    input: str
    output: str

    def __len__(self) -> int:
        return sum(1 + (len(node.model) if node.model else 0) for node in self.nodes)


def read_graph(content: dict[str, Any]) -> Graph:
    """Return the graph of a `config.json`; only what is understood has a part in it.

    How the file says that layers were built and compiled is not read: that follows from the graph.

    Raises:
        Refused: it is not a functional model of known layers in a row or an acyclic graph.
    """
    graph = _graph(content, "config.json", 0)
    if len(graph) > MAX_LAYERS:
        raise Refused(f"config.json has {len(graph):,} layers; no more than {MAX_LAYERS:,} are taken")
    return graph


def _graph(content: Any, where: str, depth: int) -> Graph:
    content = mapping(content, where)
    if content.get("class_name") != MODEL:
        raise Refused(f"{where}: {content.get('class_name')!r:.80} is not a functional model, and only such are taken")
    builtin(content, MODEL_MODULE, where, MODEL)
    if depth > MAX_DEPTH:
        raise Refused(f"{where}: models are nested deeper than {MAX_DEPTH}")
    config = mapping(content.get("config"), where)
    entries, trainable = config.get("layers"), config.get("trainable")
    if not isinstance(entries, list) or not isinstance(trainable, bool | None):
        raise Refused(f"{where}: has no list of layers, or is neither trainable nor not")
    nodes: dict[str, Node] = {}
    for entry in entries:
        node = _node(entry, nodes, where, depth)
        nodes[node.name] = node
    ends = [_end(config.get(key), nodes, f"{where}: {key}") for key in ("input_layers", "output_layers")]
    inputs = [node.name for node in nodes.values() if node.kind == INPUT]
    if inputs != ends[:1]:
        raise Refused(f"{where}: has {len(inputs)} input layers, and must have one that is its input")
    return Graph(_name(config.get("name"), where), trainable, tuple(nodes.values()), *ends)


def _node(entry: Any, before: dict[str, Node], where: str, depth: int) -> Node:
    entry = mapping(entry, where)
    kind, name = entry.get("class_name"), _name(entry.get("name"), where)
    where = f"{where}: {name}"
    if name in before:
        raise Refused(f"{where}: there are two layers of this name")
    if mapping(entry.get("config"), where).get("name") != name:
        raise Refused(f"{where}: its config says {entry['config'].get('name')!r:.80}")
    model, config = None, {}
    if kind == MODEL:
        model = _graph(entry, where, depth + 1)
    else:
        config = _checked(entry, kind, where)
    calls = entry.get("inbound_nodes")
    if not isinstance(calls, list) or len(calls) != (0 if kind == INPUT else 1):
        raise Refused(f"{where}: each layer is called once, and an input never")
    inputs, listed, training = _call(calls[0], before, where) if calls else ((), False, None)
    return Node(name, kind, config, model, inputs, listed, training)


def _checked(entry: dict[str, Any], kind: Any, where: str) -> dict[str, Any]:
    module, registered = origin(kind) if isinstance(kind, str) else origin("")
    builtin(entry, module, where, registered)
    if kind == INPUT:
        return checked_input(entry["config"], where)
    if not isinstance(kind, str) or kind not in LAYERS | OWN.keys():
        raise Refused(f"{where}: a layer of class {kind!r:.80} is not taken; ordinary ones are, that hold no code")
    return checked_config(kind, entry["config"], where)


def _call(call: Any, before: dict[str, Node], where: str) -> tuple[tuple[str, ...], bool, bool | None]:
    call = mapping(call, where)
    arguments, options = call.get("args"), mapping(call.get("kwargs"), where)
    if not isinstance(arguments, list) or len(arguments) != 1:
        raise Refused(f"{where}: a layer is called on one tensor or on one list of tensors")
    if options.keys() - {"mask", "training"} or options.get("mask") is not None:
        raise Refused(f"{where}: is called with {', '.join(sorted(options))!r:.100}; only training is taken")
    training = options.get("training")
    if not isinstance(training, bool | None):
        raise Refused(f"{where}: training is {training!r:.100}, and must be true, false or null")
    listed = isinstance(arguments[0], list)
    tensors = arguments[0] if listed else arguments
    if len(tensors) > MAX_INPUTS:
        raise Refused(f"{where}: is called on {len(tensors):,} tensors; no more than {MAX_INPUTS} are taken")
    return tuple(_origin(tensor, before, where) for tensor in tensors), listed, training


def _origin(tensor: Any, before: dict[str, Node], where: str) -> str:
    tensor = mapping(tensor, where)
    if tensor.get("class_name") != "__keras_tensor__":
        raise Refused(f"{where}: is called on {tensor.get('class_name')!r:.80}, and only tensors are taken")
    return _end(mapping(tensor.get("config"), where).get("keras_history"), before, where)


def _end(history: Any, nodes: dict[str, Node], where: str) -> str:
    """Return the layer that a tensor comes from: `[name, call, output]`, or a list of just that."""
    if isinstance(history, list) and len(history) == 1:
        history = history[0]
    if not isinstance(history, list) or len(history) != 3 or history[2] != 0:
        raise Refused(f"{where}: {history!r:.100} is not one layer's one output")
    if not isinstance(history[0], str) or history[0] not in nodes:
        raise Refused(f"{where}: refers to {history[0]!r:.80}, which is no layer before it")
    return history[0]


def _name(value: Any, where: str) -> str:
    if not isinstance(value, str) or not NAME.fullmatch(value):
        raise Refused(f"{where}: {value!r:.80} is no name of a layer")
    return value
