"""What the server answers, for its OpenAPI page."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class ListedClass(BaseModel):
    """A class with its calibrated probability, and its threshold where an image may have several labels."""

    model_config = ConfigDict(populate_by_name=True)

    name: str = Field(alias="class")
    probability: float
    threshold: float | None = None


class ImageAnswer(BaseModel):
    """The answer for one image."""

    file: str = Field(description="Its name, or `image` and its position.")
    name: str | None = Field(None, alias="class", description="The likeliest class, or `unknown` below the threshold.")
    probability: float | None = Field(None, description="That of the likeliest class.")
    is_unknown: bool | None = Field(None, description="True below the threshold; otherwise absent.")
    labels: list[ListedClass] | None = Field(None, description="In place of class and probability with several labels.")
    top: list[ListedClass] = Field(description="The likeliest classes.")
    input: str | None = Field(None, description="With `explain`: what the network sees, a PNG as data URL.")
    heat_map: str | None = Field(None, description="With `explain`: where it looks, a PNG as data URL.")


class RefusedFile(BaseModel):
    """An image that cannot be classified."""

    file: str
    message: str


class Refusal(BaseModel):
    """Why there is no answer."""

    detail: str
    files: list[RefusedFile] | None = Field(None, description="The images that are the reason, if some are.")


ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {"model": list[ImageAnswer], "description": "The predictions, in the order of the images"},
    404: {"model": Refusal, "description": "No model has this name"},
    408: {"model": Refusal, "description": "The body took too long to arrive"},
    413: {
        "model": Refusal,
        "description": "The body is too long, or has too many images or an image of too many pixels",
    },
    415: {"model": Refusal, "description": "The body is of another kind"},
    422: {"model": Refusal, "description": "The body cannot be read, an image is damaged, or a parameter is wrong"},
    503: {"model": Refusal, "description": "Too much waits already; try again"},
}
