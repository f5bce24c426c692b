"""Names of layers that follow from their network alone."""

from __future__ import annotations

import re
from collections import Counter
from operator import itemgetter

import keras
from keras.src.backend.common import global_state


def named_layers() -> Counter[str]:
    """Return how many layers of each class Keras has named itself so far."""
    return Counter(global_state.get_global_attribute("object_name_uids", {}))


def number_layers(network: keras.Model, before: Counter[str]) -> None:
    """Number the layers that Keras has named itself from the first of their class in this network.

    Keras goes on counting from model to model, so that the names of two equal networks would differ.

    Args:
        network: its layers are renamed.
        before: `named_layers` before it was built.
    """
    now, numbered = named_layers(), []
    for operation in network.operations:  # layers, `x + 3` and the like
        name = _class_name(operation)
        found = re.fullmatch(rf"{name}(?:_(\d+))?", operation.name)
        # Others may be called so too, by who has built the network.
        if found and before[name] <= int(found[1] or 0) < now[name]:
            numbered.append((int(found[1] or 0), name, operation))
    used = {operation.name for operation in network.operations} - {operation.name for _, _, operation in numbered}
    counts: Counter[str] = Counter()
    for _, name, operation in sorted(numbered, key=itemgetter(0)):
        while (new := f"{name}_{counts[name]}" if counts[name] else name) in used:
            counts[name] += 1
        operation.name = new
        used.add(new)


def _class_name(layer: keras.Operation) -> str:
    """Return the name that Keras gives to the first layer of a class, such as `max_pooling2d`."""
    words = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", type(layer).__name__)
    return re.sub("([a-z])([A-Z])", r"\1_\2", words).lower()
