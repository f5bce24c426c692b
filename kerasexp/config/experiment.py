"""The experiment: one YAML file, resolved into a typed and validated object."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from kerasexp.config.base import Section, named
from kerasexp.config.data import Data
from kerasexp.config.model import Cnn, Model
from kerasexp.config.runtime import Runtime
from kerasexp.config.training import Training


class Init(Section):
    """Weights to start from: those of another experiment, which is run first where it has not been."""

    experiment: str | Experiment = Field(
        description="The upstream experiment: a YAML file, or an experiment written out."
    )
    layers: Literal["all_but_head", "all_but_classes", "all", "none"] | list[str] = Field(
        "all_but_head",
        description="all_but_head (all before the dense head), all_but_classes (all but the last layer), all, none, or "
        "layer names.",
    )
    pseudo_labels: bool = Field(
        False,
        description="Learn from the upstream model's guesses instead of labels that say what an image is NOT; a guess is "
        "never the excluded class.",
    )
    freeze: list[str] = Field([], description="Layers that are not trained, by name; `*` stands for any characters.")


class Report(Section):
    """What the report shows; nothing of it changes a figure."""

    samples: int = Field(4, ge=1, le=24, description="Right and wrong predictions drawn at random, of each so many.")
    mistakes: int = Field(16, ge=0, le=48, description="The most confident mistakes, so many.")
    plots: bool = Field(
        True, description="Whether the plots are drawn; false saves some seconds a run, as in large studies."
    )


class Experiment(Section):
    """One experiment: what is learned from what, how, and which figures a report claims for it."""

    name: str = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$", description="Name of the experiment; the file's name by default."
    )
    seed: int = Field(0, ge=0, lt=2**31, description="Seed of weights, shuffling, augmentation and dropout.")
    data: Data = Field(Data(), description="What is learned from.")
    model: Model = Field(Cnn(), description="The network.")
    init: Init | None = Field(None, description="Weights to start from; null: random ones.")
    training: Training = Field(Training(), description="How it is trained.")
    runtime: Annotated[Runtime, BeforeValidator(lambda v: named(v, "devices"))] = Field(
        Runtime(), description="What it is computed on."
    )
    report: Report = Field(Report(), description="What the report shows.")
    reported: dict[str, float | str] = Field(
        {}, description="Figures that a report claims, such as val_accuracy, and a note; shown beside ours, never used."
    )


Init.model_rebuild()
