"""The section `training.optimizer`: one class for each optimizer, with its own keys."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from kerasexp.config.section_base import Section, ShortForm


class BaseOptimizer(Section):
    """The keys that all optimizers have."""

    name: str
    learning_rate: float = Field(0.001, gt=0, le=100, description="Learning rate; with a schedule, its peak.")
    weight_decay: float | None = Field(
        None, ge=0, description="Decoupled weight decay per step, times the learning rate; null: none."
    )
    clip_norm: float | None = Field(None, gt=0, description="Clip the gradient of all weights together to this norm.")
    ema: float | None = Field(
        None, gt=0, lt=1, description="Momentum of a moving average of the weights, which is validated and saved."
    )


class _WithMoments(BaseOptimizer):
    beta_1: float = Field(0.9, ge=0, lt=1, description="Decay of the first moment.")
    beta_2: float = Field(0.999, ge=0, lt=1, description="Decay of the second moment.")


class Adam(_WithMoments):
    """Adam (Kingma and Ba, ICLR 2015)."""

    name: Literal["adam"] = "adam"


class AdamW(_WithMoments):
    """Adam with decoupled weight decay (Loshchilov and Hutter, ICLR 2019)."""

    name: Literal["adamw"] = "adamw"
    weight_decay: float = Field(0.004, ge=0, description="Decoupled weight decay per step, times the learning rate.")


class Sgd(BaseOptimizer):
    """Stochastic gradient descent."""

    name: Literal["sgd"] = "sgd"
    momentum: float = Field(0.0, ge=0, lt=1, description="Momentum.")
    nesterov: bool = Field(False, description="Nesterov's form of momentum.")


class RmsProp(BaseOptimizer):
    """RMSprop (Hinton 2012)."""

    name: Literal["rmsprop"] = "rmsprop"
    momentum: float = Field(0.0, ge=0, lt=1, description="Momentum.")


Optimizer = Annotated[Adam | AdamW | Sgd | RmsProp, Field(discriminator="name"), ShortForm(default="adam")]
