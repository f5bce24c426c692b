"""The `training:` section: for how long, with which optimizer, schedule and stopping rules."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from kerasexp.config.base import Section, named

Monitor = Literal["val_accuracy", "val_loss", "accuracy", "loss"]
Mode = Literal["auto", "min", "max"]


class Optimizer(Section):
    """One step's rule. Keys that an optimizer does not have are refused."""

    name: Literal["adam", "adamw", "sgd", "rmsprop"] = Field("adam", description="The optimizer.")
    learning_rate: float = Field(0.001, gt=0, le=100, description="Learning rate; with a schedule, its peak.")
    momentum: float | None = Field(None, ge=0, lt=1, description="sgd, rmsprop: momentum; null: 0.")
    nesterov: bool | None = Field(None, description="sgd: Nesterov's form of momentum; null: false.")
    beta_1: float | None = Field(None, ge=0, lt=1, description="adam, adamw: decay of the first moment; null: 0.9.")
    beta_2: float | None = Field(None, ge=0, lt=1, description="adam, adamw: decay of the second moment; null: 0.999.")
    weight_decay: float | None = Field(
        None,
        ge=0,
        description="Decoupled weight decay per step, times the learning rate; null: 0.004 for adamw, else none.",
    )
    clip_norm: float | None = Field(None, gt=0, description="Clip the gradient of all weights together to this norm.")
    ema: float | None = Field(
        None, gt=0, lt=1, description="Momentum of a running mean of the weights, which is what is validated and saved."
    )


LossName = Literal[
    "cross_entropy", "scl_nl", "scl_exp", "forward", "unbiased", "non_negative", "gradient_ascent",
    "logit_adjusted", "class_balanced", "focal", "ldam",
]  # fmt: skip


class Triplet(Section):
    """Images of one class closer to each other than to others by a margin (Schroff et al. 2015, Hermans et al. 2017)."""

    weight: float = Field(1.0, gt=0, description="How much it counts beside the loss that `name` says.")
    margin: float = Field(
        0.3, gt=0, description="How much farther than one of its class an image of another should be."
    )
    mining: Literal["batch_hard", "semi_hard"] = Field(
        "batch_hard",
        description="batch_hard: each image with the farthest of its class and the nearest of another; semi_hard: each pair "
        "of a class with the nearest other image that is farther than the pair, but not by the margin.",
    )
    normalise: bool = Field(
        True,
        description="Scale features to length 1 first. Then distances are at most 2 and a margin means the same for any "
        "network, and none is won by making all features longer.",
    )


class Center(Section):
    """Images of one class close to a point that follows them (Wen et al. 2016)."""

    weight: float = Field(0.1, gt=0, description="How much it counts beside the loss that `name` says.")
    alpha: float = Field(0.5, gt=0, le=1, description="How far each step moves a class's center to its images.")


class ClassBatches(Section):
    """Batches of so many classes with so many images each."""

    classes: int = Field(16, ge=2, le=1_000_000, description="Classes in a batch.")
    images: int = Field(4, ge=2, le=1_000_000, description="Images of each of them.")


class Loss(Section):
    """What is minimised. Keys that a loss does not have are refused."""

    name: LossName = Field(
        "cross_entropy",
        description="scl_nl to gradient_ascent learn from complementary labels, which say what an image is NOT; "
        "logit_adjusted to ldam are for rare classes.",
    )
    label_smoothing: float = Field(
        0.0, ge=0, lt=1, description="cross_entropy: share of the target spread evenly over all classes."
    )
    transition: list[list[Annotated[float, Field(ge=0, le=1)]]] | None = Field(
        None,
        description="forward: how likely each label (column) is for each class (row); null: every other class alike.",
    )
    tau: float = Field(1.0, ge=0, description="logit_adjusted: strength; 1 is the balanced softmax.")
    beta: float = Field(0.999, ge=0, le=1, description="class_balanced: 0 weighs all images alike, 1 by 1 / n.")
    gamma: float = Field(2.0, ge=0, description="focal: how much less what is right already counts.")
    scale: float = Field(1.0, gt=0, description="ldam: of the logits after the margin.")
    triplet: Triplet | None = Field(
        None,
        description="Added for the features that go into the layer `logits`, such as {weight: 1.0, margin: 0.3, mining: "
        "batch_hard}, best with `class_batches`; val_loss is without it. Not for complementary labels.",
    )
    center: Center | None = Field(
        None,
        description="Added for the same features, such as {weight: 0.1, alpha: 0.5}; val_loss is without it. Not for "
        "complementary labels.",
    )


class Decode(Section):
    """How an answer is read from what the network says."""

    name: Literal["argmax", "argmin", "logit_adjusted"] = Field(
        "argmax",
        description="argmin: the least likely class is the answer, which reads a cross_entropy model of complementary "
        "labels rightly; logit_adjusted: each logit minus tau times the logarithm of its class's share in train, as if all "
        "classes were equally frequent.",
    )
    tau: float = Field(1.0, ge=0, description="logit_adjusted: strength.")


class Schedule(Section):
    """How the learning rate moves from step to step."""

    name: Literal["constant", "cosine", "one_cycle", "step"] = Field("constant", description="The shape.")
    warmup: float = Field(0.0, ge=0, lt=1, description="cosine: share of all steps in which the rate rises from 0.")
    peak: float = Field(0.3, gt=0, lt=1, description="one_cycle: share of all steps after which the rate is highest.")
    every: int = Field(10, ge=1, description="step: epochs between two drops.")
    factor: float = Field(0.1, gt=0, lt=1, description="step: what the rate is multiplied by at each drop.")


class ReduceLrOnPlateau(Section):
    """Lower the learning rate when a monitor stops improving."""

    monitor: Monitor = Field("val_loss", description="What is watched.")
    mode: Mode = Field("auto", description="Which direction is better; auto knows.")
    patience: int = Field(2, ge=0, description="Epochs without improvement before the rate is lowered.")
    factor: float = Field(0.5, gt=0, lt=1, description="What the rate is multiplied by.")
    min_learning_rate: float = Field(1e-6, ge=0, description="Never lower than this.")


class EarlyStopping(Section):
    """Stop when a monitor stops improving."""

    monitor: Monitor = Field("val_loss", description="What is watched.")
    mode: Mode = Field("auto", description="Which direction is better; auto knows.")
    patience: int = Field(5, ge=0, description="Epochs without improvement before training stops.")


class Checkpoint(Section):
    """Which epoch's weights are kept."""

    keep: Literal["best", "last"] = Field(
        "best", description="best: of the epoch with the best monitor; last: of the last."
    )
    monitor: Monitor = Field("val_accuracy", description="What decides which epoch is best.")
    mode: Mode = Field("auto", description="Which direction is better; auto knows.")


class FineTune(Section):
    """Which part of the network is trained, and how fast each part."""

    unfreeze: Annotated[int, Field(ge=1)] | str = Field(
        "all",
        description="all; head: the dense layers on top; a number: the head and so many blocks below it; the name of a block or "
        "of a layer: that block and all above it. The others keep their weights, and their batch normalisation its "
        "statistics.",
    )
    depth_decay: float = Field(
        1.0,
        gt=0,
        le=1,
        description="What the learning rate is multiplied by from block to block downwards, beginning with the last block; "
        "the head has the full rate, and so has weight decay.",
    )


class Training(Section):
    """Everything about `fit`."""

    epochs: int = Field(10, ge=1, le=100_000, description="Passes over the training images.")
    batch_size: int = Field(100, ge=1, le=1_000_000, description="Images per step.")
    class_batches: ClassBatches | None = Field(
        None,
        description="Each batch has so many classes with so many images of each, such as {classes: 16, images: 4} with "
        "batch_size: 64; null: images come in any order.",
    )
    shuffle: bool = Field(
        True,
        description="Each epoch in a random order; false: as the images are stored, class by class where classes are folders.",
    )
    optimizer: Annotated[Optimizer, BeforeValidator(named)] = Field(Optimizer(), description="The optimizer.")
    loss: Annotated[Loss, BeforeValidator(named)] = Field(Loss(), description="The loss.")
    decode: Annotated[Decode, BeforeValidator(named)] = Field(Decode(), description="How an answer is read.")
    schedule: Annotated[Schedule, BeforeValidator(named)] = Field(Schedule(), description="The learning rate's course.")
    fine_tune: Annotated[FineTune, BeforeValidator(lambda v: named(v, "unfreeze"))] = Field(
        FineTune(), description="What is trained; a plain word is a block or layer: it and all above it."
    )
    reduce_lr_on_plateau: ReduceLrOnPlateau | None = Field(None, description="Lower the rate on a plateau.")
    early_stopping: EarlyStopping | None = Field(None, description="Stop on a plateau.")
    checkpoint: Annotated[Checkpoint, BeforeValidator(lambda v: named(v, "keep"))] = Field(
        Checkpoint(), description="Which weights are kept."
    )
    validate_at: list[Annotated[int, Field(ge=0)]] = Field(
        [],
        description="Steps after which the model is also judged, on at most 1,000 images of val; 0: before the first. "
        "With any given, each epoch's end is one too.",
    )
    save_minutes: float = Field(
        5, ge=0, description="Within an epoch, the state from which `--resume` goes on is saved every so many minutes."
    )
    precision: Literal["auto", "float32", "mixed_float16", "mixed_bfloat16"] = Field(
        "auto", description="auto: mixed_bfloat16 or mixed_float16 on a GPU that is faster with it, float32 elsewhere."
    )
