"""The section `training.schedule`: one class for each course of the learning rate, with its own keys."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from kerasexp.config.section_base import Section, ShortForm


class _WithWarmup(Section):
    warmup: float = Field(0.0, ge=0, lt=1, description="Share of all steps in which the rate rises from 0.")


class Constant(_WithWarmup):
    """The same rate in every step, which `reduce_lr_on_plateau` may lower; after an optional warm-up."""

    name: Literal["constant"] = "constant"


class Cosine(_WithWarmup):
    """Half a cosine from the learning rate to 0 (Loshchilov and Hutter, ICLR 2017), after an optional warm-up."""

    name: Literal["cosine"] = "cosine"


class OneCycle(Section):
    """A rise to the learning rate and a fall to almost 0 (Smith and Topin 2018)."""

    name: Literal["one_cycle"] = "one_cycle"
    peak: float = Field(0.3, gt=0, lt=1, description="Share of all steps after which the rate is highest.")


class StepDecay(_WithWarmup):
    """A drop after each fixed number of epochs, after an optional warm-up."""

    name: Literal["step"] = "step"
    every: int = Field(10, ge=1, description="Epochs between two drops.")
    factor: float = Field(0.1, gt=0, lt=1, description="What the rate is multiplied by at each drop.")


Schedule = Annotated[
    Constant | Cosine | OneCycle | StepDecay, Field(discriminator="name"), ShortForm(default="constant")
]
