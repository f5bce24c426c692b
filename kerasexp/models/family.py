"""What each family of networks says about itself."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras


@dataclass(frozen=True)
class Family:
    """A family of networks: how it is built, and how its layers form blocks.

    Attributes:
        build: (section `model`, uint8 images [n, height, width, channels]) -> features [n, f]; it rescales the images.
        block: regular expression for the start of a layer's name; its groups, joined by `_`, are the name of the block that the
            layer belongs to.
    """

    build: Callable[[Any, keras.KerasTensor], keras.KerasTensor]
    block: str

    def block_of(self, layer: keras.layers.Layer) -> str:
        """Return the name of the block that a layer belongs to; a layer that `block` does not match is its own block."""
        found = re.match(f"(?:{self.block})(?:_|$)", layer.name)
        return "_".join(filter(None, found.groups())) if found else layer.name
