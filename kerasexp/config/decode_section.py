"""The section `training.decode`: one class for each way from logits to an answer, with its own keys."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from kerasexp.config.section_base import Section, ShortForm


class Argmax(Section):
    """The answer is the most likely class."""

    name: Literal["argmax"] = "argmax"


class Argmin(Section):
    """The answer is the least likely class: for cross_entropy on complementary labels, which say what an image is NOT."""

    name: Literal["argmin"] = "argmin"


class LogitAdjustment(Section):
    """Answers as if all classes were equally frequent: each logit minus tau times the logarithm of its class's share in train
    (Menon et al., ICLR 2021)."""

    name: Literal["logit_adjusted"] = "logit_adjusted"
    tau: float = Field(1.0, ge=0, description="Strength; 0 is argmax.")


Decode = Annotated[Argmax | Argmin | LogitAdjustment, Field(discriminator="name"), ShortForm(default="argmax")]
