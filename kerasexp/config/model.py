"""The `model:` section: which network, and its parts."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from kerasexp.config.base import Section

Activation = Literal["relu", "elu", "leaky_relu", "gelu", "silu", "tanh", "sigmoid", "linear"]
Units = Annotated[int, Field(ge=1, le=65536)]
Rate = Annotated[float, Field(ge=0, lt=1)]


class Head(Section):
    """The dense layers between the features and the classes."""

    units: list[Units] = Field([], description="Width of each hidden dense layer; empty for none.")
    activation: Activation = Field("relu", description="Activation of the hidden dense layers.")
    batch_norm: bool = Field(
        False, description="Batch normalisation between each hidden dense layer and its activation."
    )
    dropout: Rate = Field(0.0, description="Dropout before the classes' layer and after each hidden dense layer.")


class Block(Section):
    """Convolutions, then optionally pooling and dropout."""

    filters: Units = Field(description="Filters of each convolution of the block.")
    convolutions: int = Field(1, ge=1, le=32, description="How many convolutions follow each other.")
    kernel: int = Field(3, ge=1, le=31, description="Side of the kernel, in pixels.")
    stride: int = Field(1, ge=1, le=16, description="Stride of the first convolution.")
    padding: Literal["same", "valid"] = Field("same", description="same keeps the size, valid loses the border.")
    activation: Activation = Field("relu", description="Activation after each convolution.")
    batch_norm: bool = Field(False, description="Batch normalisation between each convolution and its activation.")
    pool: Annotated[int, Field(ge=2, le=16)] | None = Field(
        None, description="Side of the max pooling at the block's end."
    )
    dropout: Rate = Field(0.0, description="Dropout at the block's end.")


class Mlp(Section):
    """A multi-layer perceptron on the flattened picture."""

    name: Literal["mlp"] = Field("mlp", description="Family of the network.")
    units: list[Units] = Field([128], description="Width of each hidden layer.")
    activation: Activation = Field("relu", description="Activation of the hidden layers.")
    batch_norm: bool = Field(False, description="Batch normalisation between each hidden layer and its activation.")
    dropout: Rate = Field(0.0, description="Dropout after each hidden layer.")


class Cnn(Section):
    """Blocks of convolutions, then a dense head."""

    name: Literal["cnn"] = Field("cnn", description="Family of the network.")
    blocks: list[Block] = Field(
        [Block(filters=32, pool=2), Block(filters=64, pool=2)], min_length=1, description="The blocks, in order."
    )
    pooling: Literal["flatten", "average", "max"] = Field(
        "flatten",
        description="How the last block's maps become features: all of them, or one mean or maximum per filter.",
    )
    head: Head = Field(Head(), description="The dense layers on top.")


Model = Annotated[Mlp | Cnn, Field(discriminator="name")]
