"""The `data:` section: what is learned from, how it is split and what the model is given of it."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from kerasexp.config.base import Section, named

SourceName = Literal[
    "mnist", "digits", "image_folder", "csv", "npz", "rendered_scans", "stl10", "tiny_imagenet", "dogs_vs_cats"
]
FILE_SOURCES = ("image_folder", "csv", "npz")
# These are known by their files' names, and need a path only where they lie elsewhere.
KNOWN_SOURCES = ("stl10", "tiny_imagenet", "dogs_vs_cats")


class Preprocessing(Section):
    """What turns a stored image into the model's uint8 input."""

    size: list[Annotated[int, Field(ge=4, le=2048)]] = Field(
        [28, 28], min_length=2, max_length=2, description="Height and width of the model's input, in pixels."
    )
    channels: Literal[1, 3] = Field(1, description="1 for grey, 3 for colour.")
    framing: Literal["stretch", "fit", "window", "center"] = Field(
        "stretch",
        description="stretch: the whole image, whatever its aspect; fit: the whole image with its aspect kept; window: "
        "the same part of every image; center: the ink's box scaled to 20/28 of the size and centred by mass, as in "
        "MNIST. An image that has the target size already is not framed again.",
    )
    window: list[Annotated[float, Field(ge=0, le=1)]] | None = Field(
        None,
        min_length=4,
        max_length=4,
        description="For `framing: window`: top, left, bottom and right as fractions of the image.",
    )
    invert: Literal["auto"] | bool = Field(
        False, description="Make ink bright on dark; auto: invert the images whose border is bright."
    )
    contrast: Literal["none", "stretch"] = Field(
        "none", description="stretch: scale each image so that its brightest pixel is 255, which thin strokes need."
    )

    @model_validator(mode="after")
    def _window_fits(self) -> Preprocessing:
        if self.framing == "window" and self.window is None:
            raise ValueError("framing: window needs window: [top, left, bottom, right], as fractions of the image")
        if self.window is not None:
            if self.framing != "window":
                raise ValueError(f"window is read by framing: window only, and framing is {self.framing}")
            top, left, bottom, right = self.window
            if top >= bottom or left >= right:
                raise ValueError(f"window {self.window} is empty; give [top, left, bottom, right] with top < bottom")
        return self


class Augmentation(Section):
    """Random changes of the training images, drawn anew in every epoch from (seed, epoch, index)."""

    rotation: float = Field(0, ge=0, le=180, description="Largest angle, in degrees, either way.")
    shift: float = Field(0, ge=0, le=1, description="Largest move, as a fraction of the size, either way.")
    zoom: float = Field(0, ge=0, lt=1, description="Largest change of each side's length, as a fraction, either way.")
    shear: float = Field(0, ge=0, lt=90, description="Largest slant, in degrees, either way.")
    flip: bool = Field(False, description="Mirror left and right, every second image; not for characters.")
    color: float = Field(
        0,
        ge=0,
        lt=1,
        description="Largest change of brightness, of contrast and, of images in colour, of saturation, as a fraction, either "
        "way.",
    )
    erase: float = Field(
        0,
        ge=0,
        le=1,
        description="Share of the images of which a rectangle, a fifth to half of each side, gets the image's mean colour.",
    )
    fill: Literal["constant", "nearest", "reflect", "wrap"] = Field(
        "constant", description="What lies beyond the border; constant is black, the background of ink bright on dark."
    )


def _names_as_text(value: Any) -> Any:
    """Let the class 0 be written as it is, without quotes."""
    return {str(name): amount for name, amount in value.items()} if isinstance(value, dict) else value


class Labels(Section):
    """Edits of the labels, drawn once from `split_seed`: `select` in all splits, the others in train and val only."""

    select: list[str] | None = Field(None, min_length=2, description="Keep these classes only, by class name.")
    keep: Annotated[
        dict[str, Annotated[int, Field(ge=0)] | Annotated[float, Field(ge=0, le=1)]], BeforeValidator(_names_as_text)
    ] = Field(
        {}, description="How much to keep of a class, by class name: a number of images, or a fraction such as 0.01."
    )
    few_shot: int | None = Field(None, ge=1, description="Keep so many images of every class.")
    at_most: int | None = Field(
        None,
        ge=1,
        description="Keep no more than so many images in all, of each class the same share, after the others.",
    )
    noise: float = Field(0, ge=0, le=1, description="Share of the labels that are replaced by another class at random.")
    complement: bool = Field(
        False, description="Replace every label by another class at random: labels that say what an image is NOT."
    )

    @model_validator(mode="after")
    def _one_kind_of_wrong(self) -> Labels:
        if self.complement and self.noise:
            raise ValueError(
                "complement replaces every label, so that noise has nothing left to replace; give one of them"
            )
        return self


class Validation(Section):
    """A validation split that is one fold of several."""

    folds: int = Field(5, ge=2, le=100, description="Number of folds.")
    fold: int = Field(0, ge=0, description="Which of them is the validation split, counted from 0.")

    @model_validator(mode="after")
    def _fold_exists(self) -> Validation:
        if self.fold >= self.folds:
            raise ValueError(f"fold {self.fold} does not exist; with folds: {self.folds} it is 0 to {self.folds - 1}")
        return self


Fraction = Annotated[float, Field(gt=0, lt=1)]


class DataSource(Section):
    """Where images and labels come from."""

    source: SourceName = Field("mnist", description="The kind of source.")
    path: str | None = Field(
        None,
        description="File or folder of the source, looked for beside the YAML, in the working folder and in $KERASEXP_DATA. "
        "Without it, stl10, tiny_imagenet and dogs_vs_cats are looked for under their own names in $KERASEXP_DATA and in "
        "Keras's cache, and downloaded where they are in neither.",
    )
    class_names: dict[str, str] | None = Field(
        None,
        min_length=2,
        description="Name of the class for each folder or stored label; those not named are left out.",
    )
    first_classes: int | None = Field(
        None,
        ge=2,
        le=200,
        description="For tiny_imagenet: only so many classes, the first in its wnids.txt; null: all.",
    )
    fold: int | None = Field(
        None,
        ge=0,
        le=9,
        description="For stl10: train is this one of its ten published folds, 1,000 images each; null: all 5,000.",
    )

    @model_validator(mode="after")
    def _path_is_read(self) -> DataSource:
        if self.source in FILE_SOURCES and self.path is None:
            raise ValueError(f"source: {self.source} needs path:, a file or folder")
        takers = (*FILE_SOURCES, *KNOWN_SOURCES)
        if self.source not in takers and self.path is not None:
            raise ValueError(f"source: {self.source} takes no path; sources that do: {', '.join(takers)}")
        return self


class StandIn(DataSource):
    """What is used where the source is not to be had."""

    labels: Labels | None = Field(
        None, description="Edits of its labels instead of those of data.labels; null: the same."
    )


class Data(DataSource):
    """Everything about the images: source, splits, labels, preprocessing, augmentation."""

    offline: Annotated[StandIn | None, BeforeValidator(lambda v: named(v, "source"))] = Field(
        None,
        description="Stand-in for a source that is not here and cannot be downloaded; its use is announced everywhere.",
    )
    validation: Fraction | Validation = Field(
        0.1, description="Part of train that becomes val: a fraction, or {folds: 5, fold: 0}. Stratified and seeded."
    )
    test: Annotated[Fraction | DataSource | None, BeforeValidator(lambda v: named(v, "source"))] = Field(
        None,
        description="Part held out as test before all else, for a source without a test split of its own; null: 0.1. Or "
        "another source, such as mnist, whose test split is taken. With either, the labelled images that tiny_imagenet "
        "calls val, which are its test split otherwise, are left aside.",
    )
    groups: str | None = Field(
        None,
        description="Regular expression with one group, found in each image's name: images that agree in it (the "
        "scans of one writer) stay in one split.",
    )
    split_seed: int = Field(
        0, ge=0, description="Seed of the splits; apart from `seed`, so that several seeds share a test split."
    )
    labels: Labels = Field(Labels(), description="Edits of the labels.")
    preprocessing: Preprocessing = Field(Preprocessing(), description="From the stored image to the model's input.")
    augmentation: Augmentation | None = Field(None, description="Random changes of the training images.")
    oversample: float = Field(
        0,
        ge=0,
        le=1,
        description="Show the images of rare classes more often, each time with other random changes: with 1 as often as "
        "those of the largest class, in between a class of n images n^(1 - oversample) * largest^oversample times.",
    )
    on_corrupt: Literal["skip", "error"] = Field(
        "skip", description="skip: leave out images that cannot be read, and name them; error: stop at them."
    )

    @field_validator("groups")
    @classmethod
    def _groups_compile(cls, pattern: str | None) -> str | None:
        if pattern is not None:
            try:
                compiled = re.compile(pattern)
            except re.error as error:
                raise ValueError(f"'{pattern}' is not a regular expression: {error}") from None
            if compiled.groups != 1:
                raise ValueError(
                    f"'{pattern}' has {compiled.groups} groups; it needs exactly one, such as '-(\\d+)\\.'"
                )
        return pattern
