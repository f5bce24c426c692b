"""The section `training.average`: one class for each average of the weights, with its own keys."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from kerasexp.config.section_base import Section


class Ema(Section):
    """A moving average that follows each step of the optimizer (Polyak and Juditsky 1992)."""

    name: Literal["ema"] = "ema"
    momentum: float = Field(
        0.999, gt=0, lt=1, description="What the average keeps in each step: it spans about 1 / (1 - momentum) steps."
    )


class Swa(Section):
    """The mean of the weights at the end of each of the last epochs (stochastic weight averaging; Izmailov et al., UAI 2018)."""

    name: Literal["swa"] = "swa"
    start: float = Field(
        0.75,
        ge=0,
        lt=1,
        description="Share of the epochs after which averaging begins; before, the weights are validated.",
    )


Average = Annotated[Ema | Swa, Field(discriminator="name")]
