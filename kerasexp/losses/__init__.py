"""Losses by name; one file for each family."""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np

from kerasexp.config.loss_section import Center, CustomLoss, Loss, Triplet, metric_losses
from kerasexp.losses.binary_cross_entropy import binary_cross_entropy, positive_weights
from kerasexp.losses.center_loss import CenterLoss
from kerasexp.losses.complementary_losses import Forward, GradientAscent, NonNegative, SclExp, SclNl, Unbiased
from kerasexp.losses.cross_entropy import cross_entropy
from kerasexp.losses.custom_loss import custom_loss
from kerasexp.losses.imbalance_losses import ClassBalanced, Focal, Ldam, LogitAdjusted
from kerasexp.losses.triplet_loss import TripletLoss

# Of integer labels [n] and embeddings [n, f], a scalar.
MetricLoss = keras.losses.Loss | keras.layers.Layer

# (section `loss`, training images of each class) -> the loss of integer labels [n] and logits [n, classes].
LOSSES: dict[str, Callable[[Loss, list[int]], keras.losses.Loss]] = {
    "cross_entropy": lambda loss, counts: cross_entropy(loss.label_smoothing),
    "scl_nl": lambda loss, counts: SclNl(),
    "scl_exp": lambda loss, counts: SclExp(),
    "forward": lambda loss, counts: Forward(loss.transition),
    "unbiased": lambda loss, counts: Unbiased(_shares(counts)),
    "non_negative": lambda loss, counts: NonNegative(_shares(counts)),
    "gradient_ascent": lambda loss, counts: GradientAscent(_shares(counts)),
    "logit_adjusted": lambda loss, counts: LogitAdjusted(counts, loss.tau),
    "class_balanced": lambda loss, counts: ClassBalanced(counts, loss.beta),
    "focal": lambda loss, counts: Focal(loss.gamma),
    "ldam": lambda loss, counts: Ldam(counts, loss.scale),
}

# With several labels an image: (section, training images of each class, class names, training images) -> the loss of labels
# of 0 and 1 [n, classes] and logits [n, classes].
MULTI_LABEL_LOSSES: dict[str, Callable[[Loss, list[int], list[str], int], keras.losses.Loss]] = {
    "binary_cross_entropy": lambda loss, *data: binary_cross_entropy(
        positive_weights(loss.class_weights, *data), loss.label_smoothing
    ),
}

# Added to one of the above: (section, number of classes, width of the embedding) -> the loss.
METRIC_LOSSES: dict[str, Callable[[Triplet | Center, int, int], MetricLoss]] = {
    "triplet": lambda part, classes, width: TripletLoss(part.margin, part.mining, part.normalise),
    "center": lambda part, classes, width: CenterLoss(classes, width, part.alpha),
}


def build_loss(loss: Loss, counts: list[int]) -> keras.losses.Loss:
    """Return the loss of integer labels [n] and logits [n, classes].

    Args:
        loss: the section of the experiment.
        counts: number of training images of each class.
    """
    return custom_loss(loss, len(counts)) if isinstance(loss, CustomLoss) else LOSSES[loss.name](loss, counts)


def class_weights(loss: Loss, counts: list[int], class_names: list[str]) -> dict[int, float] | None:
    """Return the weight of each label, for Keras's `fit`; None if the loss has no weights.

    Args:
        loss: the section of the experiment.
        counts: number of training images of each class; one without images has the weight 1.
        class_names: in the order of the labels.
    """
    weights = getattr(loss, "class_weights", None)
    if weights is None or loss.multi_label:  # there, the loss itself has them
        return None
    if weights == "balanced":
        present, total = np.count_nonzero(counts), sum(counts)
        return {label: total / (present * count) if count else 1.0 for label, count in enumerate(counts)}
    return {label: weights.get(name, 1.0) for label, name in enumerate(class_names)}


def build_multi_label_loss(loss: Loss, counts: list[int], class_names: list[str], images: int) -> keras.losses.Loss:
    """Return the loss of labels of 0 and 1 [n, classes] and logits [n, classes].

    Args:
        loss: the section of the experiment.
        counts: number of training images of each class.
        class_names: in the order of the classes.
        images: number of training images.
    """
    return MULTI_LABEL_LOSSES[loss.name](loss, counts, class_names, images)


def build_metric_losses(loss: Loss, classes: int, width: int) -> dict[str, MetricLoss]:
    """Return the losses of integer labels [n] and embeddings [n, width] that the experiment adds, by name."""
    return {name: METRIC_LOSSES[name](part, classes, width) for name, part in metric_losses(loss).items()}


def _shares(counts: list[int]) -> list[float]:
    return (np.array(counts) / np.sum(counts)).tolist()
