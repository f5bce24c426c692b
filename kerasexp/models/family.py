"""What each family of networks says about itself."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import keras


@dataclass(frozen=True)
class Family:
    """A family of networks: how it is built, and how its layers form blocks.

    Attributes:
        build: (section `model`, uint8 images [n, height, width, channels]) -> features [n, f]; it rescales the images.
        block: regular expression for the start of a layer's name; what its groups match, joined by `_`, is the name of the
            block that the layer belongs to. The name of a group comes before what it matches.
        ends: whether `block` matches the last layer of a block, and layers that it does not match belong to the next block;
            else they belong to the block before.
    """

    build: Callable[[Any, keras.KerasTensor], keras.KerasTensor]
    block: str
    ends: bool = False

    def blocks_of(self, layers: Sequence[keras.layers.Layer]) -> dict[str, list[keras.layers.Layer]]:
        """Return the layers of a network, which are in the order of their calls, block by block from input to output.

        Of parallel blocks that one comes first which ends first. Without a block before them, or with none after them,
        layers are blocks of their own.
        """
        blocks: dict[str, list[keras.layers.Layer]] = {}
        names = [self._block_of(layer.name) for layer in layers]
        order = range(len(names) - 1, -1, -1) if self.ends else range(len(names))
        near = None
        for position in order:
            near = names[position] = names[position] or near
        for layer, name in zip(layers, names, strict=True):
            block = blocks.pop(name or layer.name, [])
            blocks[name or layer.name] = [*block, layer]
        return blocks

    def _block_of(self, name: str) -> str | None:
        found = re.match(f"(?:{self.block})(?:_|$)", name)
        if found is None:
            return None
        named = [part for key, text in found.groupdict().items() if text is not None for part in (key, text)]
        return "_".join(filter(None, named or found.groups()))
