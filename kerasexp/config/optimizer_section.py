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
        None,
        ge=0,
        description="Decoupled weight decay per step, times the learning rate; not of biases and norms; null: none.",
    )
    clip_norm: float | None = Field(None, gt=0, description="Clip the gradient of all weights together to this norm.")
    ema: float | None = Field(
        None,
        gt=0,
        lt=1,
        description="Momentum of a moving average of the weights, which is validated and saved with the batch-norm statistics of "
        "the weights; training.average measures its own.",
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


class Nadam(_WithMoments):
    """Adam with Nesterov's momentum (Dozat 2016)."""

    name: Literal["nadam"] = "nadam"


class Lamb(_WithMoments):
    """Adam whose step in each layer is in proportion to its weights, for large batches (You et al., ICLR 2020)."""

    name: Literal["lamb"] = "lamb"


class Lion(BaseOptimizer):
    """The sign of a momentum (Chen et al., NeurIPS 2023); all weights take steps of one size, and its state is half of Adam's."""

    name: Literal["lion"] = "lion"
    learning_rate: float = Field(
        0.0003,
        gt=0,
        le=100,
        description="Learning rate, 3 to 10 times smaller than Adam's, with more weight decay; with a schedule, its peak.",
    )
    beta_1: float = Field(0.9, gt=0, lt=1, description="Share of the momentum in each step; the gradient has the rest.")
    beta_2: float = Field(0.99, ge=0, lt=1, description="Decay of the momentum.")


class Adafactor(BaseOptimizer):
    """Adam with second moments of rows and columns in place of those of weights (Shazeer and Stern, ICML 2018).

    The learning rate is at most 1 / sqrt(step), and in proportion to a layer's weights.
    """

    name: Literal["adafactor"] = "adafactor"
    beta_2_decay: float = Field(-0.8, lt=0, description="Exponent of the decay of the second moments over the steps.")
    clip_threshold: float = Field(1.0, gt=0, description="Root mean square above which a layer's step is shortened.")


class Muon(BaseOptimizer):
    """Orthogonal steps for the matrices of dense layers but the last; AdamW for all other weights, such as those of convolutions.

    Of Jordan et al. 2024, with the step size of Liu et al. 2025, so that rates and weight decay are those of AdamW.
    """

    name: Literal["muon"] = "muon"
    weight_decay: float = Field(0.004, ge=0, description="Decoupled weight decay per step, times the learning rate.")
    momentum: float = Field(0.95, ge=0, lt=1, description="Momentum of the orthogonal steps.")
    nesterov: bool = Field(True, description="Nesterov's form of momentum.")
    adam_beta_1: float = Field(0.9, ge=0, lt=1, description="Decay of the first moment of the other weights.")
    adam_beta_2: float = Field(0.999, ge=0, lt=1, description="Decay of the second moment of the other weights.")
    adam_lr_ratio: float = Field(
        1.0, gt=0, le=1000, description="Learning rate of the other weights over that of the matrices."
    )


class RmsProp(BaseOptimizer):
    """RMSprop (Hinton 2012)."""

    name: Literal["rmsprop"] = "rmsprop"
    momentum: float = Field(0.0, ge=0, lt=1, description="Momentum.")


Optimizer = Annotated[
    Adam | AdamW | Nadam | Lamb | Lion | Adafactor | Muon | Sgd | RmsProp,
    Field(discriminator="name"),
    ShortForm(default="adam"),
]
