"""The section `report`: what a run measures and shows beside the usual."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from kerasexp.config.section_base import Section

# Strokes four times as wide fill the letters that they form.
MOST_WIDTH = 4


class Reject(Section):
    """How often an answer may be wrong, so that the others are `unknown`."""

    error: float = Field(
        0.01, gt=0, lt=1, description="Largest share of wrong answers among the images of val that are answered."
    )


class Report(Section):
    """What the run report shows; it changes neither the training nor the other metrics."""

    samples: int = Field(4, ge=1, le=24, description="Number of right and of wrong predictions, drawn at random.")
    mistakes: int = Field(16, ge=0, le=48, description="Number of most confident mistakes.")
    plots: bool = Field(True, description="Whether plots are drawn; false saves some seconds a run, for large studies.")
    stroke_widths: list[Annotated[float, Field(gt=0, le=MOST_WIDTH)]] = Field(
        [],
        description="Factors of the pen's width, such as [0.5, 0.75, 1.25, 1.5]: the strokes of val are thinned and thickened, and "
        "accuracy is measured for each. For images of strokes, such as handwriting; 1 is always included.",
    )
    reject: Reject | None = Field(
        None,
        description="Fit on val the probability below which an image is `unknown`; null: every image gets a class. `predict` uses "
        "it, and the report says which share of val and test is answered, and with which error.",
    )
    license: str | None = Field(
        None,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9.+-]{0,63}$",
        description="Licence of the checkpoint, for its card: an identifier of Hugging Face such as mit or cc-by-4.0; null: not "
        "stated.",
    )
