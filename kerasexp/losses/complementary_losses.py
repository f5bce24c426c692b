"""Losses for complementary labels, which name one class that an image is NOT of.

All take labels int [n] and logits [n, classes], and compute in float32 on logits, so that probabilities of 0 and 1 have
finite losses and gradients. In the formulas g are the logits, p = softmax(g), c is the class that the image is not of, and K
the number of classes.
"""

from __future__ import annotations

import keras
from keras import ops

from kerasexp.losses.logit_loss import LogitLoss

# So far below any logit that its exponential is 0 in float32.
NOTHING = -1e30


@keras.saving.register_keras_serializable("kerasexp")
class SclNl(LogitLoss):
    """Surrogate complementary loss, negative log: -log(1 - p_c) (Chou et al., ICML 2020; forward form of Yu et al. 2018)."""

    def of_logits(self, labels, logits):
        others = ops.where(one_hot(labels, logits) > 0, NOTHING, logits)
        return ops.logsumexp(logits, axis=-1) - ops.logsumexp(others, axis=-1)


@keras.saving.register_keras_serializable("kerasexp")
class SclExp(LogitLoss):
    """Surrogate complementary loss, exponential: exp(p_c) (Chou et al., ICML 2020)."""

    def of_logits(self, labels, logits):
        return ops.exp(ops.sum(one_hot(labels, logits) * ops.softmax(logits), axis=-1))


@keras.saving.register_keras_serializable("kerasexp")
class Forward(LogitLoss):
    """Forward correction: -log sum_k p_k T_kc, T_kc the probability of label c for class k (Yu et al., ECCV 2018).

    Args:
        transition: [classes, classes], rows that sum to 1; None: all classes but the image's own are equally likely.
    """

    def __init__(self, transition: list[list[float]] | None = None, name: str = "forward", **keywords):
        super().__init__(name=name, **keywords)
        self.transition = transition

    def of_logits(self, labels, logits):
        classes = logits.shape[-1]
        if self.transition is None:
            transition = (ops.ones((classes, classes)) - ops.eye(classes)) / (classes - 1)
        else:
            transition = ops.convert_to_tensor(self.transition, "float32")
        ways = ops.transpose(ops.take(transition, labels, axis=1))
        log_ways = ops.where(ways > 0, ops.log(ops.maximum(ways, 1e-30)), NOTHING)
        return -ops.logsumexp(ops.log_softmax(logits) + log_ways, axis=-1)

    def get_config(self):
        return {**super().get_config(), "transition": self.transition}


class _Risk(LogitLoss):
    """Estimators of the ordinary risk from complementary labels (Ishida et al., ICML 2019).

    r_j = -(K - 1) pi_j m_jj + sum_k pi_k m_kj is the part of class j, m_kj the mean of -log p_j over the images of the batch
    that are labelled "not k", and pi_k the share of that label.

    Args:
        shares: of the labels in the training split, [classes].
    """

    def __init__(self, shares: list[float], name: str = "risk", **keywords):
        super().__init__(name=name, **keywords)
        self.shares = shares

    def of_logits(self, labels, logits):
        chosen = one_hot(labels, logits)
        counts = ops.maximum(ops.sum(chosen, axis=0), 1.0)
        means = ops.matmul(ops.transpose(chosen), -ops.log_softmax(logits)) / counts[:, None]
        weighted = ops.convert_to_tensor(self.shares, "float32")[:, None] * means
        parts = ops.sum(weighted, axis=0) - (logits.shape[-1] - 1) * ops.diagonal(weighted)
        # One number for the batch; each image gets it, as Keras averages over the images.
        return self.of_parts(parts) * ops.ones_like(logits[:, 0])

    def of_parts(self, parts):
        """Return the risk of the classes' parts r_j [classes]."""
        raise NotImplementedError

    def get_config(self):
        return {**super().get_config(), "shares": self.shares}


@keras.saving.register_keras_serializable("kerasexp")
class Unbiased(_Risk):
    """Unbiased risk: the sum of r_j, which may be negative and overfits (Ishida et al., ICML 2019)."""

    def of_parts(self, parts):
        return ops.sum(parts)


@keras.saving.register_keras_serializable("kerasexp")
class NonNegative(_Risk):
    """Non-negative risk: the sum of max(0, r_j) (Ishida et al., ICML 2019)."""

    def of_parts(self, parts):
        return ops.sum(ops.relu(parts))


@keras.saving.register_keras_serializable("kerasexp")
class GradientAscent(_Risk):
    """Gradient ascent: where some r_j < 0, step away from them, on -sum min(0, r_j); else on the sum of r_j.

    Ishida et al., ICML 2019.
    """

    def of_parts(self, parts):
        return ops.where(ops.min(parts) < 0, ops.sum(ops.relu(-parts)), ops.sum(parts))


def one_hot(labels, logits):
    """Return float32 [n, classes]."""
    return ops.one_hot(labels, logits.shape[-1], dtype="float32")
