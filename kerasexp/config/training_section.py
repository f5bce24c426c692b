"""The section `training`: how long, with which optimizer, loss, schedule and stopping rules."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from kerasexp.config.average_section import Average
from kerasexp.config.custom_code import CustomCallback
from kerasexp.config.decode_section import Argmax, Argmin, Decode
from kerasexp.config.distill_section import DISTILLATION, Distill
from kerasexp.config.loss_section import CrossEntropy, Loss, metric_losses
from kerasexp.config.optimizer_section import Adam, Optimizer
from kerasexp.config.schedule_section import Constant, Schedule
from kerasexp.config.section_base import Section, ShortForm

Monitor = Literal["val_accuracy", "val_loss", "accuracy", "loss"]


class ClassBatches(Section):
    """Batches of a fixed number of classes, each with the same number of images."""

    classes: int = Field(16, ge=2, le=1_000_000, description="Classes in a batch.")
    images: int = Field(4, ge=2, le=1_000_000, description="Images of each of these classes.")


class ReduceLrOnPlateau(Section):
    """Lower the learning rate when a metric stops improving."""

    monitor: Monitor = Field("val_loss", description="The metric.")
    patience: int = Field(2, ge=0, description="Epochs without improvement before the rate is lowered.")
    factor: float = Field(0.5, gt=0, lt=1, description="What the rate is multiplied by.")
    min_learning_rate: float = Field(1e-6, ge=0, description="The rate is never lowered below this.")


class EarlyStopping(Section):
    """Stop when a metric stops improving."""

    monitor: Monitor = Field("val_loss", description="The metric.")
    patience: int = Field(5, ge=0, description="Epochs without improvement before training stops.")


class SharpnessAware(Section):
    """Sharpness-aware minimisation (SAM; Foret et al., ICLR 2021): each step has the gradient of the worst weights nearby.

    A step takes twice the time. Batch normalisation sees each batch once, and dropout is the same in both passes.
    """

    rho: float = Field(
        0.05,
        gt=0,
        le=100,
        description="How far away the worst weights are looked for, as the length of all changes together.",
    )


class Checkpoint(Section):
    """Which epoch's weights are kept."""

    keep: Literal["best", "last"] = Field(
        "best",
        description="Weights of the epoch with the best metric, or the last. If epochs tie, the one with the lowest val_loss is "
        "kept; if they tie in both, the last.",
    )
    monitor: Monitor = Field(
        "val_accuracy", description="The metric that decides which epoch is best; default in a search: its objective."
    )


class FineTune(Section):
    """Which part of the network is trained, and how fast each part."""

    unfreeze: Annotated[int, Field(ge=1)] | str = Field(
        "all",
        description="all; head: the dense layers on top; a number: the head and that many blocks below it; the name of a block "
        "or a layer: it and everything above it. The other layers keep their weights and their batch normalisation statistics.",
    )
    head_epochs: int = Field(
        0,
        ge=0,
        description="Epochs at the beginning, counted among `epochs`, in which the dense layers on top alone are trained, so that "
        "the first steps of a random head do not spoil pretrained layers. `clip_norm` counts all gradients, and batch "
        "normalisation goes on measuring unless it is frozen.",
    )
    batch_norm: Literal["trained", "frozen"] = Field(
        "trained",
        description="frozen: batch normalisation below the head keeps its weights and statistics, for few images, whose statistics "
        "are not those of the pretraining.",
    )
    depth_decay: float = Field(
        1.0,
        gt=0,
        le=1,
        description="Factor of the learning rate from block to block downwards, beginning with the last block; "
        "the head has the full rate, and weight decay is not scaled.",
    )


class Training(Section):
    """Everything about `fit`."""

    epochs: int = Field(10, ge=1, le=100_000, description="Passes over the training images.")
    batch_size: int = Field(100, ge=1, le=1_000_000, description="Images per training step.")
    accumulate: int = Field(
        1,
        ge=1,
        le=10_000,
        description="Batches whose mean gradient is one step of the optimizer: 16 of 128 images train as one of 2,048 does, in the "
        "memory of 128; batch normalisation sees 128. History, curves and `validate_at` count the steps of the optimizer.",
    )
    class_batches: ClassBatches | None = Field(
        None,
        description="Compose each batch of a fixed number of images of each class, such as {classes: 16, images: 4} with "
        "batch_size: 64; null: any images.",
    )
    shuffle: bool = Field(
        True,
        description="Each epoch in a random order; false: as the images are stored, class by class where classes are folders.",
    )
    optimizer: Optimizer = Field(Adam(), description="The optimizer.")
    loss: Loss = Field(CrossEntropy(), description="The loss that is minimised.")
    distill: Annotated[Distill | None, ShortForm("checkpoint")] = Field(
        None, description="Teachers to learn from; a plain word is the checkpoint. null: the labels alone."
    )
    decode: Decode = Field(Argmax(), description="How the answer is read from the logits.")
    sharpness_aware: SharpnessAware | None = Field(
        None,
        description="Look for flat minima, at twice the time a step: {rho: 0.05}, or {} for the default; null: not.",
    )
    average: Annotated[Average | None, ShortForm()] = Field(
        None,
        description="An average of the weights over the training, which is validated and saved in their place, with statistics of "
        "batch normalisation that are measured for it on train; null: none.",
    )
    schedule: Schedule = Field(Constant(), description="The course of the learning rate.")
    fine_tune: Annotated[FineTune, ShortForm("unfreeze")] = Field(
        FineTune(), description="What is trained; a plain word is the value of `unfreeze`."
    )
    reduce_lr_on_plateau: ReduceLrOnPlateau | None = Field(None, description="Lower the rate on a plateau.")
    early_stopping: EarlyStopping | None = Field(None, description="Stop on a plateau.")
    checkpoint: Annotated[Checkpoint, ShortForm("keep")] = Field(Checkpoint(), description="Which weights are kept.")
    callbacks: list[Annotated[CustomCallback, ShortForm()]] = Field(
        [], description="Keras callbacks of your own, called after ours, in their order."
    )
    validate_at: list[Annotated[int, Field(ge=0)]] = Field(
        [],
        description="Steps after which the model is evaluated on at most 1,000 images of val, in addition to the end of each "
        "epoch; 0: before the first step.",
    )
    save_minutes: float = Field(
        5, ge=0, description="Minutes between two saves, within an epoch, of the state from which `--resume` continues."
    )
    max_minutes: float | None = Field(
        None,
        gt=0,
        description="Minutes after which the training stops at the end of its step, validates, and goes on to the evaluation; "
        "the time of all processes of the run counts. null: no limit. `--resume` with a larger limit continues.",
    )
    precision: Literal["auto", "float32", "mixed_float16", "mixed_bfloat16"] = Field(
        "auto", description="auto: mixed_bfloat16 or mixed_float16 on a GPU that is faster with it, float32 elsewhere."
    )


def labels_are_complementary(training: Training) -> bool:
    """Return whether labels, those of validation included, say what an image is NOT."""
    return training.loss.complementary or isinstance(training.decode, Argmin)


def added_losses(training: Training) -> list[str]:
    """Return the names of the losses that a training adds to that of the labels."""
    return [*metric_losses(training.loss), *([DISTILLATION] if training.distill is not None else [])]


def direction(monitor: str) -> str:
    """Return `max` or `min`: which direction of a monitored metric is better."""
    return "max" if monitor.endswith("accuracy") else "min"
