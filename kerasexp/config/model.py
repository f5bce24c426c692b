"""The `model:` section: which network, and its parts."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from kerasexp.config.base import Section
from kerasexp.config.head import Activation, Head, Rate, Units

# What a plain word stands for beside its kind, so that a list of words is a network: each block halves its maps.
HALVING = {"conv": {"pool": 2}, "mobile": {"stride": 2}, "inverted_residual": {"stride": 2}}
# Filters double from block to block, as maps are halved, until they are this many.
FIRST_FILTERS, MOST_FILTERS = 32, 512
# Of MobileNet v2.
EXPANSION = 6
# The weights of keras.applications, in place of a file's name.
IMAGENET = "imagenet"


class Block(Section):
    """Convolutions, then optionally pooling and dropout. Keys that a kind does not have are refused.

    What is null depends on the kind and on the block before; in a `Cnn` it has been filled in.
    """

    kind: Literal["conv", "mobile", "inverted_residual"] = Field(
        "conv",
        description="conv: plain convolutions, with which a network begins; mobile: depthwise separable ones (MobileNet v1); "
        "inverted_residual: expanded, depthwise, projected, and added to what came in where the stride is 1 and the shape "
        "the same (MobileNet v2).",
    )
    filters: Units | None = Field(
        None,
        description="Filters of each convolution of the block; null: 32 in the first block, and twice those of the block "
        "before in others, at most 512.",
    )
    convolutions: int = Field(1, ge=1, le=32, description="How many convolutions of the kind follow each other.")
    expansion: Annotated[int, Field(ge=1, le=64)] | None = Field(
        None,
        description="inverted_residual: how many times as many maps lie between as come in, 1 for no expansion; null: 6.",
    )
    shortcut: bool | None = Field(
        None,
        description="conv, mobile: add what comes in to what the convolutions make of it, through a 1x1 convolution where the "
        "shapes differ (residual learning); null: false. It needs padding: same.",
    )
    kernel: int = Field(3, ge=1, le=31, description="Side of the kernel, in pixels.")
    stride: int = Field(1, ge=1, le=16, description="Stride of the first convolution.")
    padding: Literal["same", "valid"] = Field("same", description="same keeps the size, valid loses the border.")
    activation: Activation = Field("relu", description="Activation after each convolution.")
    batch_norm: bool | None = Field(
        None,
        description="Batch normalisation between each convolution and its activation; null: not in conv, and in the others.",
    )
    pool: Annotated[int, Field(ge=2, le=16)] | None = Field(
        None, description="Side of the max pooling at the block's end."
    )
    dropout: Rate = Field(0.0, description="Dropout at the block's end.")


def in_full(block: Any) -> Any:
    """Turn the short form `mobile` into `{kind: mobile, stride: 2}`, and so the other kinds; leave all else as it is."""
    return {"kind": block, **HALVING.get(block, {})} if isinstance(block, str) else block


def _each_in_full(blocks: Any) -> Any:
    return [in_full(block) for block in blocks] if isinstance(blocks, list) else blocks


def _filled_in(blocks: list[Block]) -> list[Block]:
    """Give each block what it leaves to its kind and to the block before."""
    filled: list[Block] = []
    for block in blocks:
        filters = FIRST_FILTERS
        if filled:
            filters = max(filled[-1].filters, min(2 * filled[-1].filters, MOST_FILTERS))
        own = {
            "filters": filters,
            "batch_norm": block.kind != "conv",
            "expansion": EXPANSION if block.kind == "inverted_residual" else None,
        }
        filled.append(block.model_copy(update={key: own[key] for key in own if getattr(block, key) is None}))
    return filled


class Mlp(Section):
    """A multi-layer perceptron on the flattened image."""

    name: Literal["mlp"] = Field("mlp", description="Family of the network.")
    units: list[Units] = Field([128], description="Width of each hidden layer.")
    activation: Activation = Field("relu", description="Activation of the hidden layers.")
    batch_norm: bool = Field(False, description="Batch normalisation between each hidden layer and its activation.")
    dropout: Rate = Field(0.0, description="Dropout after each hidden layer.")


class Cnn(Section):
    """Blocks of convolutions, then a dense head."""

    name: Literal["cnn"] = Field("cnn", description="Family of the network.")
    blocks: Annotated[list[Block], BeforeValidator(_each_in_full), AfterValidator(_filled_in)] = Field(
        _filled_in([Block(pool=2), Block(pool=2)]),
        min_length=1,
        description="The blocks, in order; a plain word, such as mobile, is a block of that kind that halves the maps: "
        "{kind: mobile, stride: 2}, and {kind: conv, pool: 2}.",
    )
    pooling: Literal["flatten", "average", "max"] = Field(
        "flatten",
        description="How the last block's maps become features: all of them, or one mean or maximum per filter.",
    )
    head: Head = Field(Head(), description="The dense layers on top.")


class Backbone(Section):
    """What networks have in common that end in maps of features, and may start from weights in a file."""

    name: str
    weights: str | None
    pooling: Literal["flatten", "average", "max"] = Field(
        "average",
        description="How the last maps become features: one mean or maximum per map, or all of them.",
    )
    head: Head = Field(Head(), description="The dense layers on top.")


class ResNet18(Backbone):
    """A residual network of 18 layers (He et al., CVPR 2016)."""

    name: Literal["resnet18"] = Field("resnet18", description="Family of the network.")
    weights: str | None = Field(
        None,
        description="A .keras or .weights.h5 file of such a network to start from; imagenet: KerasHub's, which is the extra "
        "`hub`; null: random weights.",
    )
    stem: Literal["imagenet", "small"] = Field(
        "imagenet",
        description="imagenet: a 7x7 convolution and a max pooling that leave a quarter of height and width, for images of "
        "about 100 pixels and more; small: a 3x3 convolution that leaves all, for those of MNIST and CIFAR.",
    )
    width: int = Field(
        64, ge=1, le=4096, description="Maps of the first of the four stages; each next one has twice as many."
    )


class Application(Backbone):
    """A network of keras.applications, with its own preprocessing inside; it takes images of three channels."""

    weights: str | None = Field(
        IMAGENET,
        description="imagenet: those of keras.applications, downloaded once; a .keras, .weights.h5 or .h5 file of the same "
        "network, of the last two kinds without its top; null: random weights.",
    )


class ResNet50(Application):
    """A residual network of 50 layers (He et al., CVPR 2016)."""

    name: Literal["resnet50"] = Field("resnet50", description="Family of the network.")


class MobileNetV2(Application):
    """A network of inverted residuals (Sandler et al., CVPR 2018)."""

    name: Literal["mobilenet_v2"] = Field("mobilenet_v2", description="Family of the network.")


class EfficientNetV2B0(Application):
    """The smallest of the EfficientNets v2 (Tan and Le, ICML 2021)."""

    name: Literal["efficientnet_v2_b0"] = Field("efficientnet_v2_b0", description="Family of the network.")


Model = Annotated[Mlp | Cnn | ResNet18 | ResNet50 | MobileNetV2 | EfficientNetV2B0, Field(discriminator="name")]
