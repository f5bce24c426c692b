"""The section `data.augmentation`: random changes of the training images."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, field_validator

from kerasexp.config.custom_code import CustomAugmentation
from kerasexp.config.section_base import Section, ShortForm

# Of RandAugment.
MOST_MAGNITUDE = 30


def _ordered(values: list[float]) -> list[float]:
    if values[0] > values[1]:
        raise ValueError(f"got {values}; the first value must not be above the second, as in [0.35, 1]")
    return values


class Crop(Section):
    """A random part of each image, enlarged to the model's input: a random resized crop.

    It is cut from the cached image or, with `data.cache: none`, from the stored one, so that no detail is lost.
    """

    area: Annotated[
        list[Annotated[float, Field(gt=0, le=1)]], Field(min_length=2, max_length=2), AfterValidator(_ordered)
    ] = Field([0.35, 1.0], description="Smallest and largest share of the image's area.")
    aspect: Annotated[
        list[Annotated[float, Field(ge=0.1, le=10)]], Field(min_length=2, max_length=2), AfterValidator(_ordered)
    ] = Field([0.75, 1.33], description="Smallest and largest ratio of width to height, relative to that of the image.")


class Elastic(Section):
    """An elastic distortion: each pixel is read beside its place, by a smooth random field (Simard et al., ICDAR 2003).

    In pixels of the model's input. A pixel moves by about 0.16 * alpha / sigma pixels in each direction (standard deviation).
    """

    alpha: float = Field(
        34, gt=0, le=10_000, description="Factor of the smoothed field; 34 for digits of 28x28 pixels."
    )
    sigma: float = Field(
        4,
        ge=1,
        le=1000,
        description="Standard deviation of the Gaussian that smooths the field, at least 1/16 of the image's longer side; a small "
        "one gives wrinkles, a large one shifts.",
    )


class RandAugment(Section):
    """A few operations on each image, drawn from fourteen (Cubuk et al., NeurIPS 2020), with the strengths of torchvision.

    identity, shear_x, shear_y, translate_x, translate_y, rotate, brightness, contrast, color, sharpness, posterize, solarize,
    auto_contrast and equalize. Those that move pixels are part of the affine map, and come first.
    """

    operations: int = Field(2, ge=1, le=10, description="Number of operations an image; the same may be drawn twice.")
    magnitude: float = Field(
        9,
        ge=0,
        le=MOST_MAGNITUDE,
        description="Strength of all of them, of 30; shifts, turns and factors go either way.",
    )


Flip = Literal["horizontal", "vertical", "both"] | bool


class Augmentation(Section):
    """Random changes of the training images, different in every epoch: a function of (seed, epoch, index)."""

    rotation: float = Field(0, ge=0, le=180, description="Largest angle, in degrees, either way.")
    shift: float = Field(0, ge=0, le=1, description="Largest shift, as a fraction of the size, either way.")
    zoom: float = Field(0, ge=0, lt=1, description="Largest change of each side, as a fraction, either way.")
    shear: float = Field(0, ge=0, lt=90, description="Largest slant, in degrees, either way.")
    flip: Flip = Field(
        False,
        description="Mirror every second image: horizontal, left to right, which true also stands for; vertical, upside down; "
        "both: each at random. Not for characters.",
    )
    stroke: float = Field(
        0,
        ge=0,
        le=1,
        description="Largest change of a stroke's edges, in pixels of the model's input, either way: bright strokes become thicker "
        "or thinner by up to twice this, as with another pen.",
    )
    color: float = Field(
        0, ge=0, lt=1, description="Largest change of brightness, contrast and saturation, as a fraction, either way."
    )
    hue: float = Field(
        0,
        ge=0,
        le=0.5,
        description="Largest turn of the hue, as a fraction of the colour circle, either way; 0.5: any. For images in colour.",
    )
    blur: float = Field(
        0,
        ge=0,
        le=20,
        description="Largest standard deviation of a Gaussian blur, in pixels of the model's input; each image gets one between 0 "
        "and this.",
    )
    erase: float = Field(
        0,
        ge=0,
        le=1,
        description="Share of images in which a rectangle gets the mean colour. With erase: 1 and erase_sides: [0.5, 0.5] it is "
        "cut-out (DeVries and Taylor 2017).",
    )
    erase_sides: Annotated[
        list[Annotated[float, Field(gt=0, le=1)]], Field(min_length=2, max_length=2), AfterValidator(_ordered)
    ] = Field(
        [0.2, 0.5], description="Shortest and longest side of the erased rectangle, as fractions of those of the image."
    )
    erase_fill: Literal["mean", "black"] = Field(
        "mean", description="What an erased rectangle gets: mean colour, or black."
    )
    crop: Crop | None = Field(
        None,
        description="Random resized crops: a part of each image, enlarged to the model's input; {}: the defaults. For photographs.",
    )
    elastic: Elastic | None = Field(
        None,
        description="Bend the strokes or shapes of an image; {}: the defaults, which are for digits of 28x28 pixels.",
    )
    fill: Literal["constant", "nearest", "reflect", "wrap"] = Field(
        "constant", description="Pixels beyond the border; constant: black, the background where ink is bright on dark."
    )
    rand_augment: RandAugment | None = Field(
        None, description="Random operations on each image; {}: the defaults. For photographs."
    )
    mixup: float = Field(
        0,
        ge=0,
        le=100,
        description="Mix each image with another one of its batch, and their labels with them (Zhang et al., ICLR 2018): the share "
        "of the image is drawn from Beta(mixup, mixup), such as 0.2. For losses that take mixed labels; 0: off.",
    )
    cutmix: float = Field(
        0,
        ge=0,
        le=100,
        description="Paste a rectangle of another image of the batch, and mix the labels by area (Yun et al., ICCV 2019): the "
        "share that the image keeps is drawn from Beta(cutmix, cutmix), such as 1. With mixup, each has one of the two; 0: off.",
    )
    mix_share: float = Field(1, gt=0, le=1, description="Share of images that mixup and cutmix mix.")
    layers: list[Annotated[CustomAugmentation, ShortForm()]] = Field(
        [], description="Augmentations of your own, after those above, in their order."
    )

    @property
    def mixes(self) -> bool:
        """Whether images and labels are mixed."""
        return bool(self.mixup or self.cutmix)

    @field_validator("flip")
    @classmethod
    def _horizontal_is_true(cls, flip: str | bool) -> str | bool:
        # One value for one meaning: the two are the same run.
        return True if flip == "horizontal" else flip
