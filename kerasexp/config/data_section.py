"""The section `data`: the source of images and labels, splits, label edits, preprocessing and augmentation."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, field_validator, model_validator

from kerasexp.config.augmentation_section import Augmentation
from kerasexp.config.custom_code import CustomSource, OrCustom
from kerasexp.config.section_base import ClassName, EachClassOnce, NumberAsText, Section, Seed, ShortForm

SourceName = Literal[
    "mnist", "digits", "image_folder", "table", "csv", "npz", "rendered_scans", "stl10", "tiny_imagenet", "dogs_vs_cats"
]
FILE_SOURCES = ("image_folder", "table", "csv", "npz")
# Sources whose files have known names; they need a path only if the files are elsewhere.
KNOWN_SOURCES = ("stl10", "tiny_imagenet", "dogs_vs_cats")
# Keys that only some sources have.
SOURCES_OF_KEYS = {
    "range": FILE_SOURCES,
    "images": ("table",),
    "columns": ("table",),
    "label_column": ("csv",),
    "first_classes": ("tiny_imagenet",),
    "fold": ("stl10",),
}


def _rising(values: list[float]) -> list[float]:
    if values[0] >= values[1]:
        raise ValueError(f"got {values}; the first value must be below the second, as in [0, 4095]")
    return values


ValuePair = Annotated[list[float], Field(min_length=2, max_length=2), AfterValidator(_rising)]


class Preprocessing(Section):
    """From a stored image to the uint8 input of the model."""

    size: list[Annotated[int, Field(ge=4, le=2048)]] = Field(
        [28, 28], min_length=2, max_length=2, description="Height and width of the model's input, in pixels."
    )
    channels: Literal[1, 3] = Field(1, description="1 for grey, 3 for colour.")
    framing: Literal["stretch", "fit", "window", "center"] = Field(
        "stretch",
        description="stretch: the whole image, its aspect ratio not kept; fit: the whole image, its aspect ratio kept; window: "
        "the same part of every image; center: the bounding box of the ink scaled to 20/28 of the size and centred by mass, as "
        "in MNIST. An image that already has the target size is not framed again.",
    )
    window: list[Annotated[float, Field(ge=0, le=1)]] | None = Field(
        None,
        min_length=4,
        max_length=4,
        description="For `framing: window`: top, left, bottom and right as fractions of the image.",
    )
    invert: Literal["auto"] | bool = Field(
        False, description="Invert the images, so that ink is bright on dark; auto: only images with a bright border."
    )
    contrast: Literal["none", "stretch"] = Field(
        "none", description="stretch: scale each image so that its brightest pixel is 255, as thin strokes need."
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


class Labels(Section):
    """Edits of the labels, drawn once from `split_seed`: `select` in all splits, the others in train and val only."""

    select: list[ClassName] | None = Field(None, min_length=2, description="Keep only these classes, by name.")
    keep: Annotated[
        dict[ClassName, Annotated[int, Field(ge=0)] | Annotated[float, Field(ge=0, le=1)]], EachClassOnce
    ] = Field(
        {}, description="How much to keep of each class, by name: a number of images, or a fraction such as 0.01."
    )
    few_shot: int | None = Field(None, ge=1, description="Number of images to keep of every class.")
    at_most: int | None = Field(
        None,
        ge=1,
        description="Most images in all, the same share of each class; applied last. A source with a val split of its own has as "
        "many in each of train and val.",
    )
    noise: float = Field(0, ge=0, le=1, description="Share of the labels that are replaced by another class at random.")
    complement: bool = Field(
        False, description="Replace every label by another class at random: labels that say what an image is NOT."
    )

    @model_validator(mode="after")
    def _one_kind_of_noise(self) -> Labels:
        if self.complement and self.noise:
            raise ValueError(
                "complement replaces every label, which leaves nothing for noise to replace; use one of the two"
            )
        return self


class Validation(Section):
    """A validation split that is one of several folds."""

    folds: int = Field(5, ge=2, le=100, description="Number of folds.")
    fold: int = Field(0, ge=0, description="Number of the fold that is the validation split, counted from 0.")

    @model_validator(mode="after")
    def _fold_exists(self) -> Validation:
        if self.fold >= self.folds:
            raise ValueError(f"fold {self.fold} does not exist; with folds: {self.folds} it is 0 to {self.folds - 1}")
        return self


Fraction = Annotated[float, Field(gt=0, lt=1)]


ColumnName = Annotated[str, NumberAsText]


class Columns(Section):
    """Columns of a table of image files: the name in the header, or the number counted from 1; null: found by name and content."""

    image: ColumnName | None = Field(None, description="Column of the paths of the images.")
    label: ColumnName | Annotated[list[ColumnName], Field(min_length=2)] | None = Field(
        None,
        description="Column of the labels; with `multi_label`, one whose cells hold several, such as cat;dog, or a list of columns "
        "of 0 and 1, one per class.",
    )
    separator: str | None = Field(
        None,
        min_length=1,
        description="With `multi_label`: what stands between the labels in a cell, such as ';'; null: found in the data.",
    )
    split: ColumnName | Literal[False] | None = Field(
        None, description="Column of the splits: train, val or test; false: none, although there is one."
    )
    group: ColumnName | Literal[False] | None = Field(
        None,
        description="Column of groups; images of one group, such as the scans of one writer, stay in one split where splits are "
        "held out, whose shares are then shares of the groups; false: none, although there is one.",
    )


class DataSource(Section):
    """Where images and labels come from; keys that belong to one source are dropped where another replaces it."""

    source: Annotated[SourceName, OrCustom(CustomSource, plain=True)] = Field(
        "mnist", description="The kind of source, or a function of your own that loads one, such as my_source.py:load."
    )
    path: str | None = Field(
        None,
        description="File or folder of the source, looked for beside the YAML, in the working folder and in $KERASEXP_DATA. "
        "Without a path, stl10, tiny_imagenet and dogs_vs_cats are looked for under their own names in $KERASEXP_DATA and in "
        "Keras's cache, and downloaded if they are in neither.",
    )
    class_names: Annotated[dict[ClassName, ClassName], Field(min_length=2), EachClassOnce] | None = Field(
        None, description="Class of each folder or stored label; others are left out."
    )
    range: ValuePair | None = Field(
        None,
        description="image_folder, table, csv, npz and functions of your own: the stored values that become 0 and 255, such as "
        "[0, 4095]; null: found in the data (0..1, 0..255, or all 16 bits of a file), or an error asks for it. Above 255 it leaves "
        "files of 8 bits as they are.",
    )
    images: str | None = Field(
        None,
        description="table: folder or zip archive of the images, looked for like `path` and beside the table; null: the paths are "
        "absolute or start at the folder of the table.",
    )
    columns: Columns | None = Field(None, description="table: its columns; null: found by name and content.")
    multi_label: bool = Field(
        False,
        description="table, npz and sources of one's own: several labels an image, or none. In a table they stand in one cell, in "
        "several rows, or in columns of 0 and 1; elsewhere they are arrays [n, classes] of 0 and 1.",
    )
    label_column: str | None = Field(
        None,
        description="csv: the column of labels: first, last, its name in the header, or its number from 1; null: found in "
        "the data, or an error asks for it.",
    )
    first_classes: int | None = Field(
        None, ge=2, le=200, description="tiny_imagenet: number of classes, the first in wnids.txt; null: all."
    )
    fold: int | None = Field(
        None, ge=0, le=9, description="stl10: which of its ten folds of 1,000 images is train; null: all 5,000 images."
    )

    @model_validator(mode="after")
    def _path_fits(self) -> DataSource:
        if self.source in FILE_SOURCES and self.path is None:
            raise ValueError(f"source: {self.source} needs path:, a file or folder")
        takers = (*FILE_SOURCES, *KNOWN_SOURCES)
        if self.source not in takers and self.path is not None:
            raise ValueError(f"source: {self.source_name} takes no path; sources that do: {', '.join(takers)}")
        return self

    @property
    def source_name(self) -> str:
        """The word for the source, or the reference to the function that loads it."""
        return self.source.name if isinstance(self.source, CustomSource) else self.source


class StandIn(DataSource):
    """The dataset that replaces one that is not available."""

    labels: Labels | None = Field(None, description="Edits of its labels in place of data.labels; null: data.labels.")


class Data(DataSource):
    """Everything about the images: source, splits, labels, preprocessing, augmentation."""

    offline: Annotated[StandIn | None, ShortForm("source")] = Field(
        None,
        description="Stand-in for a source that is not here and cannot be downloaded; console, manifest and report say so.",
    )
    validation: Fraction | Validation = Field(
        0.1,
        description="Share of train that becomes val: a fraction, or {folds: 5, fold: 0}; stratified, and drawn from `split_seed`. "
        "It is not used for a source with a val split of its own, for which folds are refused.",
    )
    test: Annotated[Fraction | DataSource | None, ShortForm("source")] = Field(
        None,
        description="Share that is held out as test first, for a source without a test split; null: 0.1. Or another source, "
        "such as mnist: its test split is used, or all of it if it has no splits. Without this key, the val images of "
        "tiny_imagenet are its test split; with it they are not used.",
    )
    groups: str | None = Field(
        None,
        description="Regular expression with one group, searched for in the name of each image; images with the same group, such "
        "as the scans of one writer, stay in one split where splits are held out. The shares of validation and test are then "
        "shares of the groups, not of the images, and not stratified.",
    )
    split_seed: Seed = Field(0, description="Seed of the splits, which do not depend on `seed`.")
    labels: Labels = Field(Labels(), description="Edits of the labels.")
    preprocessing: Preprocessing = Field(Preprocessing(), description="From the stored image to the model's input.")
    augmentation: Augmentation | None = Field(None, description="Random changes of the training images.")
    cache: Literal["packed", "memory", "none"] = Field(
        "packed",
        description="Where preprocessed images are kept. packed: decoded once, in a file of $KERASEXP_CACHE; memory: decoded at "
        "each start, in memory, with nothing written; none: nowhere, decoded in every epoch, for data that outgrow the disk. The "
        "result is the same, except that crops are cut from the stored images with none.",
    )
    oversample: float = Field(
        0,
        ge=0,
        le=1,
        description="Show images of rare classes more often, augmented differently each time: with 1, each class as often as the "
        "largest one; in general, a class of n images n^(1 - oversample) * largest^oversample times.",
    )
    on_corrupt: Literal["skip", "error"] = Field(
        "skip", description="Images that cannot be read; skip: leave them out and name them; error: stop."
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
