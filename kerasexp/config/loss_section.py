"""The section `training.loss`: one class for each loss, with its own keys, and the metric losses that may be added."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import ConfigDict, Field, field_validator

from kerasexp.config.custom_code import CodeKind, CustomCode, OrCustom
from kerasexp.config.section_base import ClassName, EachClassOnce, Section, ShortForm, members

MULTI_LABEL_LOSS = "binary_cross_entropy"
PositiveWeight = Annotated[float, Field(gt=0)]


class Triplet(Section):
    """Images of one class closer to each other than to others by a margin (Schroff et al. 2015, Hermans et al. 2017)."""

    weight: float = Field(1.0, gt=0, description="Factor of this loss in the sum with the loss that `name` gives.")
    margin: float = Field(0.3, gt=0, description="How much farther away images of other classes should be.")
    mining: Literal["batch_hard", "semi_hard"] = Field(
        "batch_hard",
        description="batch_hard: each image with the farthest of its class and the nearest of another; semi_hard: each pair "
        "of a class with the nearest image of another class that is farther than the pair, but by less than the margin.",
    )
    normalise: bool = Field(
        True,
        description="Scale features to length 1 first. Distances are then at most 2, a margin means the same for every "
        "network, and longer features do not lower the loss.",
    )


class Center(Section):
    """Images close to the center of their class, which moves with them (Wen et al., ECCV 2016)."""

    weight: float = Field(0.1, gt=0, description="Factor of this loss in the sum with the loss that `name` gives.")
    alpha: float = Field(0.5, gt=0, le=1, description="How far each step moves the center of a class to its images.")


class BaseLoss(Section):
    """What all losses have.

    Attributes:
        complementary: whether labels say what an image is NOT.
        by_counts: whether the loss depends on the number of training images of each class.
        multi_label: whether an image may have several labels.
        takes_mixed: whether labels may be the shares of several classes, as those of mixed images.
    """

    name: str
    complementary: ClassVar[bool] = False
    by_counts: ClassVar[bool] = False
    multi_label: ClassVar[bool] = False
    takes_mixed: ClassVar[bool] = False


class TrueLabelLoss(BaseLoss):
    """What the losses have whose labels say what an image is."""

    triplet: Triplet | None = Field(
        None,
        description="Triplet loss added on the features that the layer `logits` takes, such as {weight: 1.0, margin: 0.3, "
        "mining: batch_hard}, best with `class_batches`; val_loss does not include it.",
    )
    center: Center | None = Field(
        None,
        description="Center loss added on the same features, such as {weight: 0.1, alpha: 0.5}; val_loss does not include it.",
    )


class WeightedLoss(TrueLabelLoss):
    """What the losses have whose images may be weighted by their classes."""

    class_weights: (
        Annotated[
            dict[ClassName, Annotated[float, Field(gt=0)]], Field(min_length=1), EachClassOnce
        ] | Literal["balanced"] | None
    ) = Field(
        None,
        description="Factor of the loss of each training image, by class, as Keras's class_weight: balanced (images / (classes * "
        "images of the class), as in scikit-learn), or {cat: 2}, with 1 for the classes that are left out. val_loss and all "
        "metrics stay unweighted.",
    )  # fmt: skip

    @property
    def by_counts(self) -> bool:
        """Whether the loss depends on the number of training images of each class."""
        return self.class_weights == "balanced"


class ComplementaryLoss(BaseLoss):
    """What the losses have whose labels say what an image is NOT."""

    complementary: ClassVar[bool] = True


class CrossEntropy(WeightedLoss):
    """Cross-entropy."""

    name: Literal["cross_entropy"] = "cross_entropy"
    takes_mixed: ClassVar[bool] = True
    label_smoothing: float = Field(0.0, ge=0, lt=1, description="Share of the target spread evenly over all classes.")


class LogitAdjusted(TrueLabelLoss):
    """For rare classes: cross-entropy of logits shifted by the classes' log frequencies (Menon et al., ICLR 2021)."""

    name: Literal["logit_adjusted"] = "logit_adjusted"
    takes_mixed: ClassVar[bool] = True
    by_counts: ClassVar[bool] = True
    tau: float = Field(1.0, ge=0, description="Strength; 1 is the balanced softmax, 0 plain cross-entropy.")


class ClassBalanced(TrueLabelLoss):
    """For rare classes: cross-entropy weighted by the effective number of images (Cui et al., CVPR 2019)."""

    name: Literal["class_balanced"] = "class_balanced"
    by_counts: ClassVar[bool] = True
    beta: float = Field(0.999, ge=0, le=1, description="0 weights all images alike, 1 by 1 / images of the class.")


class Focal(WeightedLoss):
    """Cross-entropy that counts images less the better they are classified (Lin et al., ICCV 2017)."""

    name: Literal["focal"] = "focal"
    gamma: float = Field(2.0, ge=0, description="How much less; 0 is plain cross-entropy.")


class Ldam(TrueLabelLoss):
    """For rare classes: cross-entropy with larger margins for rarer classes (Cao et al., NeurIPS 2019)."""

    name: Literal["ldam"] = "ldam"
    by_counts: ClassVar[bool] = True
    scale: float = Field(1.0, gt=0, description="Factor of the logits after the margin.")


class BinaryCrossEntropy(BaseLoss):
    """For several labels an image: the cross-entropy of each class, present or absent, averaged over the classes."""

    name: Literal["binary_cross_entropy"] = "binary_cross_entropy"
    multi_label: ClassVar[bool] = True
    takes_mixed: ClassVar[bool] = True
    label_smoothing: float = Field(
        0.0, ge=0, lt=1, description="Targets become s / 2 and 1 - s / 2 in place of 0 and 1."
    )
    class_weights: Literal["balanced"] | Annotated[dict[ClassName, PositiveWeight], EachClassOnce] | None = Field(
        None,
        description="Factor of the images that have a class, such as {cat: 2}, 1 for a class that is not named; balanced: the "
        "number of images without the class by that of images with it. val_loss has the weights as well, the metrics do not.",
    )


class SclNl(ComplementaryLoss):
    """For complementary labels: -log(1 - p) (Chou et al., ICML 2020)."""

    name: Literal["scl_nl"] = "scl_nl"


class SclExp(ComplementaryLoss):
    """For complementary labels: exp(p) (Chou et al., ICML 2020)."""

    name: Literal["scl_exp"] = "scl_exp"


class Forward(ComplementaryLoss):
    """For complementary labels: forward correction (Yu et al., ECCV 2018)."""

    name: Literal["forward"] = "forward"
    transition: list[list[Annotated[float, Field(ge=0, le=1)]]] | None = Field(
        None,
        description="Probability of each label (column) for each class (row); null: all classes but the image's own alike.",
    )

    @field_validator("transition")
    @classmethod
    def _rows_sum_to_one(cls, rows: list[list[float]] | None) -> list[list[float]] | None:
        if rows is not None and any(len(row) != len(rows) or abs(sum(row) - 1) > 1e-6 for row in rows):
            raise ValueError("must be square, and each row must sum to 1")
        return rows


class Unbiased(ComplementaryLoss):
    """For complementary labels: unbiased estimate of the risk, which may be negative (Ishida et al., ICML 2019)."""

    name: Literal["unbiased"] = "unbiased"


class NonNegative(ComplementaryLoss):
    """For complementary labels: the same estimate, no class's part below 0 (Ishida et al., ICML 2019)."""

    name: Literal["non_negative"] = "non_negative"


class GradientAscent(ComplementaryLoss):
    """For complementary labels: the same estimate, with ascent while some class's part is below 0 (Ishida et al., ICML 2019)."""

    name: Literal["gradient_ascent"] = "gradient_ascent"


class CustomLoss(CustomCode, TrueLabelLoss):
    """A loss of one's own: `loss(labels, logits, *, ...)`, the loss of each image [n], or a Keras loss of labels and logits, or
    a function that returns one."""

    model_config = ConfigDict(extra="allow")
    code_kind: ClassVar[CodeKind] = CodeKind("loss", ("labels", "logits"), ("labels", "y_true"))


Loss = Annotated[
    CrossEntropy | LogitAdjusted | ClassBalanced | Focal | Ldam
    | BinaryCrossEntropy | SclNl | SclExp | Forward | Unbiased | NonNegative | GradientAscent,
    Field(discriminator="name"),
    OrCustom(CustomLoss),
    ShortForm(default="cross_entropy"),
]  # fmt: skip


def losses_of_mixed_labels() -> list[str]:
    """Return the names of the losses that take mixed labels."""
    return [loss.model_fields["name"].default for loss in members(Loss) if loss.takes_mixed]


def metric_losses(loss: Loss) -> dict[str, Triplet | Center]:
    """Return the losses of the features that are added to the loss of the logits, by name."""
    added = {name: getattr(loss, name, None) for name in ("triplet", "center")}
    return {name: part for name, part in added.items() if part is not None}
