"""The `head:` of a model: what lies between its features and the classes, trained by steps or fitted at once."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from kerasexp.config.base import Section

Activation = Literal["relu", "relu6", "elu", "leaky_relu", "gelu", "silu", "tanh", "sigmoid", "linear"]
Units = Annotated[int, Field(ge=1, le=65536)]
Rate = Annotated[float, Field(ge=0, lt=1)]


def _several(value: Any) -> Any:
    """Turn one number into a list of one, and leave everything else as it is."""
    return [value] if isinstance(value, int | float) and not isinstance(value, bool) else value


Strengths = Annotated[list[Annotated[float, Field(gt=0, le=1e6)]], BeforeValidator(_several)]
Votes = Annotated[list[Annotated[int, Field(ge=1, le=1000)]], BeforeValidator(_several)]
IMAGENET_OUTPUTS, OTHER = 1000, "other"
RANGE = re.compile(r"\s*(\d{1,3})\s*-\s*(\d{1,3})\s*")
STRENGTHS = [0.0001, 0.001, 0.01, 0.1, 1.0, 10.0]
CHOSEN = "of several, cross-validation on train chooses"


class Svm(Section):
    """A support vector machine (Cortes and Vapnik 1995) on scaled features: one of each class against all others."""

    kernel: Literal["linear", "rbf"] = Field("linear", description="linear, or rbf: exp(-gamma |x - y|^2).")
    multi_class: Literal["ovr", "crammer_singer"] = Field(
        "ovr",
        description="ovr: a machine for each class, against the rest; crammer_singer: one for all (Crammer and Singer 2001), "
        "linear alone.",
    )
    C: Strengths = Field(
        STRENGTHS, min_length=1, description=f"How much a mistake counts against a small weight; {CHOSEN}."
    )
    gamma: float | None = Field(None, gt=0, description="rbf: width of the kernel; null: 1 / number of features.")


class LogisticRegression(Section):
    """Logistic regression on scaled features, multinomial, with an L2 penalty."""

    C: Strengths = Field(
        STRENGTHS, min_length=1, description=f"How much a mistake counts against a small weight; {CHOSEN}."
    )


class NearestNeighbours(Section):
    """The majority of the nearest training images, by Euclidean distance between scaled features."""

    k: Votes = Field([1, 5, 15], min_length=1, description=f"How many neighbours have a vote; {CHOSEN}.")


def _ranges(value: Any) -> Any:
    """Turn `80-100` into all numbers from 80 to 100, and leave everything else as it is."""
    if not isinstance(value, list):
        return value
    whole: list[Any] = []
    for item in value:
        ends = RANGE.fullmatch(item) if isinstance(item, str) else None
        whole += range(int(ends[1]), int(ends[2]) + 1) if ends else [item]
    return whole


class ZeroShot(Section):
    """A network's own ImageNet outputs read as other classes; nothing is trained."""

    outputs: dict[str, Annotated[list[Annotated[int, Field(ge=0, lt=IMAGENET_OUTPUTS)]], BeforeValidator(_ranges)]] = (
        Field(
            description="For each class of the data the ImageNet outputs, 0 to 999, that mean it, such as [404, 80-100]; [] for "
            "a class that ImageNet lacks.",
        )
    )
    combine: Literal["max", "sum"] = Field(
        "max", description="max: a class is as likely as its likeliest output; sum: as all of its outputs together."
    )
    other: bool = Field(
        True,
        description="Whether the outputs of no class are a class of their own, `other`, which an answer may be; false: the "
        "answer is one of the classes that have outputs.",
    )

    def answers(self, class_names: list[str]) -> list[str]:
        """Return what an answer may be, of data with these classes."""
        return [*class_names, OTHER] if self.other else class_names

    def groups(self, class_names: list[str]) -> list[list[int]]:
        """Return the outputs of each of these answers."""
        mapped = [self.outputs.get(name, []) for name in class_names]
        rest = set(range(IMAGENET_OUTPUTS)).difference(*mapped)
        return [*mapped, sorted(rest)] if self.other else mapped


ClassicalHead = Svm | LogisticRegression | NearestNeighbours
WithoutSteps = ClassicalHead | ZeroShot


class Head(Section):
    """The dense layers between the features and the classes' layer, and how that is found where steps do not train it."""

    units: list[Units] = Field([], description="Width of each hidden dense layer; empty for none.")
    activation: Activation = Field("relu", description="Activation of the hidden dense layers.")
    batch_norm: bool = Field(
        False, description="Batch normalisation between each hidden dense layer and its activation."
    )
    dropout: Rate = Field(0.0, description="Dropout before the classes' layer and after each hidden dense layer.")
    svm: Svm | None = Field(
        None,
        description="A support vector machine on the features, such as {kernel: linear, C: 0.01}, in place of training.",
    )
    logistic_regression: LogisticRegression | None = Field(
        None, description="Logistic regression on the features, such as {C: [0.01, 0.1, 1]}, in place of training."
    )
    knn: NearestNeighbours | None = Field(
        None, description="Nearest neighbours among the features, such as {k: 5}, in place of training."
    )

    zero_shot: ZeroShot | None = Field(
        None, description="The network's own ImageNet outputs read as the data's classes, in place of training."
    )

    def without_steps(self) -> dict[str, WithoutSteps]:
        """Return what takes the place of training by steps, by its key; empty for a network that is trained."""
        parts = {key: getattr(self, key) for key in ("svm", "logistic_regression", "knn", "zero_shot")}
        return {key: part for key, part in parts.items() if part is not None}
