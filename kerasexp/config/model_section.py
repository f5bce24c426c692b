"""The section `model`: which network, and its parts."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field

from kerasexp.config.application_facts import PLAIN, WITH_ALPHA, WITH_MINIMALISTIC
from kerasexp.config.custom_code import CustomModel, OrCustom
from kerasexp.config.head_section import Activation, ClassicalHead, Head, Rate, Units
from kerasexp.config.section_base import Section, ShortForm

# A plain word in a list of blocks is a block of that kind that halves the height and width of its maps.
HALVING = {"conv": {"pool": 2}, "mobile": {"stride": 2}, "inverted_residual": {"stride": 2}}
# Filters double from block to block, as the maps are halved, up to the second number.
FIRST_FILTERS, MOST_FILTERS = 32, 512
# Height and width, in pixels.
Size = Annotated[list[Annotated[int, Field(ge=4, le=2048)]], Field(min_length=2, max_length=2)]
# The published weights of a network, in place of the name of a file.
IMAGENET = "imagenet"


class BaseBlock(Section):
    """The keys that all kinds of blocks have."""

    kind: str
    filters: Units | None = Field(
        None,
        description="Filters of each convolution of the block; null: 32 in the first block, and in others twice those of the "
        "block before, at most 512.",
    )
    convolutions: int = Field(1, ge=1, le=32, description="Number of convolutions one after the other.")
    kernel: int = Field(3, ge=1, le=31, description="Side of the kernel, in pixels.")
    stride: int = Field(1, ge=1, le=16, description="Stride of the first convolution.")
    padding: Literal["same", "valid"] = Field("same", description="same keeps the size, valid loses the border.")
    activation: Activation = Field("relu", description="Activation after each convolution.")
    batch_norm: bool = Field(True, description="Batch normalisation between each convolution and its activation.")
    pool: Annotated[int, Field(ge=2, le=16)] | None = Field(None, description="Side of the max pooling at the end.")
    dropout: Rate = Field(0.0, description="Dropout at the block's end.")


class _WithShortcut(BaseBlock):
    shortcut: bool = Field(
        False,
        description="Add the block's input to its output (residual learning), through a 1x1 convolution where the shapes "
        "differ. It needs padding: same.",
    )


class ConvBlock(_WithShortcut):
    """Plain convolutions, with which a network begins; then optionally pooling and dropout."""

    kind: Literal["conv"] = "conv"
    batch_norm: bool = Field(False, description="Batch normalisation between each convolution and its activation.")


class MobileBlock(_WithShortcut):
    """Depthwise separable convolutions (MobileNet v1, Howard et al. 2017)."""

    kind: Literal["mobile"] = "mobile"


class InvertedResidualBlock(BaseBlock):
    """Convolutions that expand, filter each map and project; a shortcut where stride is 1 and the shape stays (Sandler et al.,
    MobileNet v2, CVPR 2018)."""

    kind: Literal["inverted_residual"] = "inverted_residual"
    shortcut: ClassVar[bool] = False
    expansion: int = Field(6, ge=1, le=64, description="Maps in between for each input map; 1 for no expansion.")


def _with_filters(blocks: list[Block]) -> list[Block]:
    """Give each block without a number of filters that which follows from the block before."""
    filled: list[Block] = []
    for block in blocks:
        filters = FIRST_FILTERS
        if filled:
            filters = max(filled[-1].filters, min(2 * filled[-1].filters, MOST_FILTERS))
        filled.append(block if block.filters is not None else block.model_copy(update={"filters": filters}))
    return filled


Block = Annotated[
    ConvBlock | MobileBlock | InvertedResidualBlock,
    Field(discriminator="kind"),
    ShortForm("kind", default="conv", more=HALVING),
]


class Mlp(Section):
    """A multi-layer perceptron on the flattened image."""

    name: Literal["mlp"] = "mlp"
    units: list[Units] = Field([128], description="Width of each hidden layer.")
    activation: Activation = Field("relu", description="Activation of the hidden layers.")
    batch_norm: bool = Field(False, description="Batch normalisation between each hidden layer and its activation.")
    dropout: Rate = Field(0.0, description="Dropout after each hidden layer.")


class Backbone(Section):
    """The keys of networks that end in feature maps and may start from weights in a file."""

    name: str
    weights: str | None
    pooling: Literal["flatten", "average", "max"] = Field(
        "average",
        description="How the last feature maps become features: one mean or maximum per map, or all values.",
    )
    resize: Size | None = Field(
        None,
        description="Height and width to which the network enlarges its images, bilinearly and inside the model: for images that "
        "are stored smaller than those its weights were trained on; null: not at all.",
    )
    head: Head = Field(Head(), description="The dense layers on top.")

    @property
    def needs_colour(self) -> bool:
        """Whether it takes images of three channels alone; those of grey images are equal."""
        return False


class _WithShortcuts(Backbone):
    stochastic_depth: Rate = Field(
        0.0,
        description="Share of training images for which the last block is skipped; from block to block it falls evenly, to none "
        "at the input (Huang et al., ECCV 2016). Only blocks with a shortcut are skipped, and none in predictions.",
    )


class Cnn(_WithShortcuts):
    """Blocks of convolutions, then a dense head."""

    name: Literal["cnn"] = "cnn"
    weights: str | None = Field(
        None,
        description="A .keras or .weights.h5 file of a network with the same blocks, or the name of a shipped checkpoint of such a "
        "network, such as tiny_imagenet, to start from; null: random weights.",
    )
    blocks: Annotated[list[Block], AfterValidator(_with_filters)] = Field(
        _with_filters([ConvBlock(pool=2), ConvBlock(pool=2)]),
        min_length=1,
        description="The blocks, in order; a plain word, such as mobile, is a block of that kind that halves the maps: "
        "{kind: mobile, stride: 2}, and {kind: conv, pool: 2}.",
    )
    pooling: Literal["flatten", "average", "max"] = Field(
        "flatten",
        description="How the feature maps of the last block become features: all values, or one mean or maximum per map.",
    )


class ResNet18(_WithShortcuts):
    """A residual network of 18 layers (He et al., CVPR 2016)."""

    name: Literal["resnet18"] = "resnet18"
    weights: str | None = Field(
        None,
        description="A .keras or .weights.h5 file of the same network to start from; imagenet: the weights of KerasHub, which "
        "the extra `hub` installs; null: random weights.",
    )
    stem: Literal["imagenet", "small"] = Field(
        "imagenet",
        description="imagenet: a 7x7 convolution and a max pooling that leave a quarter of height and width, for images of "
        "about 100 pixels and more; small: a 3x3 convolution that keeps the size, for images such as those of MNIST and CIFAR.",
    )
    width: int = Field(
        64, ge=1, le=4096, description="Feature maps of the first of four stages; each next one has twice as many."
    )

    @property
    def needs_colour(self) -> bool:
        return self.weights == IMAGENET


class Application(Backbone):
    """The keys of networks of keras.applications, which contain their own preprocessing and take images of three channels."""

    weights: str | None = Field(
        IMAGENET,
        description="imagenet: the weights of keras.applications, from Keras's cache or $KERASEXP_DATA/models, else "
        "downloaded; a .keras, .weights.h5 or .h5 file of the same network, with its top or without; null: random weights.",
    )

    @property
    def needs_colour(self) -> bool:
        return True


class PlainApplication(Application):
    """A network of keras.applications, with its own preprocessing; docs/backbones.md compares them."""

    name: Literal[PLAIN] = Field(description="Which network.")


def _alpha(published: str):
    """Return the field of a factor that has ImageNet weights for some values."""
    text = f"Factor of the filters of each layer. There are ImageNet weights for {published}."
    return Field(1.0, ge=0.05, le=4, description=text)


class MobileNet(Application):
    """The MobileNets (Howard et al. 2017; Sandler et al., CVPR 2018), small networks for phones."""

    name: Literal[WITH_ALPHA] = Field(description="Which network.")
    alpha: float = _alpha("0.25 (mobilenet), 0.35 (mobilenet_v2), 0.5, 0.75, 1.0, and 1.3 and 1.4 (mobilenet_v2)")


class MobileNetV3(Application):
    """The MobileNets v3 (Howard et al., ICCV 2019)."""

    name: Literal[WITH_MINIMALISTIC] = Field(description="Which network.")
    alpha: float = _alpha("0.75 and 1.0")
    minimalistic: bool = Field(
        False,
        description="Without squeeze-and-excitation, hard-swish and 5x5 convolutions, which some processors compute slowly; "
        "ImageNet weights are for alpha 1.0.",
    )


Model = Annotated[
    Mlp | Cnn | ResNet18 | PlainApplication | MobileNet | MobileNetV3,
    Field(discriminator="name"),
    OrCustom(CustomModel),
    ShortForm(),
]


def classical_head(model: Model | None) -> tuple[str, ClassicalHead] | None:
    """Return key and section of the classical head; None if gradient descent trains the model."""
    head = getattr(model, "head", None)  # not every family has one, and that of a user's model is not ours
    return next(iter(head.classical().items()), None) if isinstance(head, Head) else None
