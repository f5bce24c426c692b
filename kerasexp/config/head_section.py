"""The section `head` of a model: what lies between its features and the classes."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from kerasexp.config.section_base import ClassName, EachClassOnce, Section

Activation = Literal["relu", "relu6", "elu", "leaky_relu", "gelu", "silu", "tanh", "sigmoid", "linear"]
Units = Annotated[int, Field(ge=1, le=65536)]
Rate = Annotated[float, Field(ge=0, lt=1)]


IMAGENET_OUTPUTS, OTHER = 1000, "other"
RANGE = re.compile(r"\s*(\d{1,3})\s*-\s*(\d{1,3})\s*")
STRENGTHS = [0.0001, 0.001, 0.01, 0.1, 1.0, 10.0]
CHOICE = "with several values, cross-validation on train picks the best"


def _one_or_more(item: Any) -> Any:
    """Return the type of a list of items, of which a single one may be written without a list."""

    def as_list(value: Any) -> Any:
        return [value] if isinstance(value, int | float) and not isinstance(value, bool) else value

    items = Annotated[list[item], Field(min_length=1)]
    return Annotated[items, BeforeValidator(as_list, json_schema_input_type=items | item)]


Strengths = _one_or_more(Annotated[float, Field(gt=0, le=1e6)])
Votes = _one_or_more(Annotated[int, Field(ge=1, le=1000)])


def _in_full(value: Any) -> Any:
    """Turn `80-100` into all numbers from 80 to 100, and leave everything else as it is, such as `100-80`."""
    if not isinstance(value, list):
        return value
    whole: list[Any] = []
    for item in value:
        ends = RANGE.fullmatch(item) if isinstance(item, str) else None
        numbers = range(int(ends[1]), int(ends[2]) + 1) if ends else ()
        whole += numbers or [item]
    return whole


Output = Annotated[int, Field(ge=0, lt=IMAGENET_OUTPUTS)]
Outputs = Annotated[
    list[Output],
    BeforeValidator(_in_full, json_schema_input_type=list[Output | Annotated[str, Field(pattern=RANGE.pattern)]]),
]


class Svm(Section):
    """A support vector machine (Cortes and Vapnik 1995) on scaled features."""

    kernel: Literal["linear", "rbf"] = Field("linear", description="linear, or rbf: exp(-gamma |x - y|^2).")
    multi_class: Literal["ovr", "crammer_singer"] = Field(
        "ovr",
        description="ovr: a machine for each class, against the rest; crammer_singer: one for all classes (Crammer and Singer "
        "2001), with kernel: linear only.",
    )
    C: Strengths = Field(STRENGTHS, description=f"Inverse strength of the L2 penalty; {CHOICE}.")
    gamma: float | None = Field(None, gt=0, description="rbf: width of the kernel; null: 1 / number of features.")


class LogisticRegression(Section):
    """Logistic regression on scaled features, multinomial, with an L2 penalty."""

    C: Strengths = Field(STRENGTHS, description=f"Inverse strength of the L2 penalty; {CHOICE}.")


class NearestNeighbours(Section):
    """The majority class of the nearest training images, by Euclidean distance between scaled features."""

    k: Votes = Field([1, 5, 15], description=f"Number of neighbours that vote; {CHOICE}.")


class ZeroShot(Section):
    """A network's own ImageNet outputs read as other classes; nothing is trained."""

    outputs: Annotated[dict[ClassName, Outputs], EachClassOnce] = Field(
        description="For each class of the data the ImageNet outputs, 0 to 999, that mean it, such as [404, 80-100]; [] for "
        "a class that ImageNet does not have.",
    )
    combine: Literal["max", "sum"] = Field(
        "max",
        description="Probability of a class; max: that of its most likely output; sum: that of all its outputs together.",
    )
    other: bool = Field(
        True,
        description="Whether the outputs that belong to no class form a class `other`, which may be the answer; false: the "
        "answer is one of the classes that have outputs.",
    )

    def answers(self, class_names: list[str]) -> list[str]:
        """Return the classes that an answer may be, for data with these classes."""
        return [*class_names, OTHER] if self.other else class_names

    def groups(self, class_names: list[str]) -> list[list[int]]:
        """Return the outputs of each class that an answer may be."""
        mapped = [self.outputs.get(name, []) for name in class_names]
        rest = set(range(IMAGENET_OUTPUTS)).difference(*mapped)
        return [*mapped, sorted(rest)] if self.other else mapped


# Classical heads are not trained by gradient descent: fitted to the features of train, or read off the network's own outputs.
FittedHead = Svm | LogisticRegression | NearestNeighbours
ClassicalHead = FittedHead | ZeroShot


class Head(Section):
    """The dense layers between the features and the layer `logits`, or a classical head."""

    units: list[Units] = Field([], description="Width of each hidden dense layer; empty for none.")
    activation: Activation = Field("relu", description="Activation of the hidden dense layers.")
    batch_norm: bool = Field(False, description="Batch normalisation between each hidden layer and its activation.")
    dropout: Rate = Field(0.0, description="Dropout before the layer `logits` and after each hidden dense layer.")
    svm: Svm | None = Field(None, description="Instead of training: a support vector machine, such as {C: 0.01}.")
    logistic_regression: LogisticRegression | None = Field(
        None, description="Instead of training: logistic regression, such as {C: [0.01, 0.1, 1]}."
    )
    knn: NearestNeighbours | None = Field(None, description="Instead of training: nearest neighbours, such as {k: 5}.")
    zero_shot: ZeroShot | None = Field(
        None, description="Instead of training: the network's own ImageNet outputs, read as the data's classes."
    )

    def classical(self) -> dict[str, ClassicalHead]:
        """Return the classical heads that are asked for, by key; empty if the head is trained by gradient descent."""
        parts = {key: getattr(self, key) for key in ("svm", "logistic_regression", "knn", "zero_shot")}
        return {key: part for key, part in parts.items() if part is not None}
