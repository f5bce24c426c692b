"""Losses for training splits with rare classes; all take labels int [n] and logits [n, classes].

A rare class gets a larger weight or has to win by a larger margin. None of them helps a class without images.
"""

from __future__ import annotations

import keras
import numpy as np
from keras import ops

from kerasexp.losses.logit_loss import LogitLoss

# Stands for the count of a class without images, whose share must have a logarithm.
FEWEST = 0.5
LDAM_MARGIN = 0.5


@keras.saving.register_keras_serializable("kerasexp")
class LogitAdjusted(LogitLoss):
    """Cross-entropy of g_j + tau log pi_j, pi_j the share of class j in train (Menon et al., ICLR 2021).

    With tau = 1 it is the balanced softmax (Ren et al., NeurIPS 2020). The probabilities of the model are then those for
    equally frequent classes.

    Args:
        counts: number of training images of each class.
        tau: strength; 0 is plain cross-entropy.
    """

    def __init__(self, counts: list[int], tau: float = 1.0, name: str = "logit_adjusted", **keywords):
        super().__init__(name=name, **keywords)
        self.counts, self.tau = counts, tau

    def of_logits(self, labels, logits):
        return _cross_entropy(labels, self._adjusted(logits))

    def of_shares(self, shares, logits):
        return keras.losses.categorical_crossentropy(shares, self._adjusted(logits), from_logits=True)

    def _adjusted(self, logits):
        shares = np.maximum(self.counts, FEWEST) / np.sum(self.counts)
        return logits + ops.convert_to_tensor(self.tau * np.log(shares), "float32")

    def get_config(self):
        return {**super().get_config(), "counts": self.counts, "tau": self.tau}


@keras.saving.register_keras_serializable("kerasexp")
class ClassBalanced(LogitLoss):
    """Cross-entropy times (1 - b) / (1 - b^n_c), scaled to a mean of 1 over the training images (Cui et al., CVPR 2019).

    Args:
        counts: n_c, the number of training images of each class.
        beta: b; 0 weights all images alike, 1 weights them by 1 / n_c.
    """

    def __init__(self, counts: list[int], beta: float = 0.999, name: str = "class_balanced", **keywords):
        super().__init__(name=name, **keywords)
        self.counts, self.beta = counts, beta

    def of_logits(self, labels, logits):
        counts = np.maximum(self.counts, FEWEST)
        weights = 1 / counts if self.beta == 1 else (1 - self.beta) / (1 - self.beta**counts)
        weights *= np.sum(self.counts) / np.sum(weights * self.counts)
        return ops.take(ops.convert_to_tensor(weights, "float32"), labels) * _cross_entropy(labels, logits)

    def get_config(self):
        return {**super().get_config(), "counts": self.counts, "beta": self.beta}


@keras.saving.register_keras_serializable("kerasexp")
class Focal(LogitLoss):
    """(1 - p_t)^gamma times cross-entropy, p_t the probability of the true class (Lin et al., ICCV 2017).

    Args:
        gamma: 0 is plain cross-entropy.
    """

    def __init__(self, gamma: float = 2.0, name: str = "focal", **keywords):
        super().__init__(name=name, **keywords)
        self.gamma = gamma

    def of_logits(self, labels, logits):
        loss = _cross_entropy(labels, logits)
        # -expm1(-loss) is 1 - p_t without the loss of digits near p_t = 1; the floor keeps the power's gradient finite.
        return ops.power(ops.maximum(-ops.expm1(-loss), 1e-12), self.gamma) * loss

    def get_config(self):
        return {**super().get_config(), "gamma": self.gamma}


@keras.saving.register_keras_serializable("kerasexp")
class Ldam(LogitLoss):
    """Cross-entropy in which a class has to win by a margin ~ n_c^(-1/4), 0.5 for the rarest (Cao et al., NeurIPS 2019).

    Args:
        counts: n_c, the number of training images of each class.
        scale: factor of the logits after the margin.
    """

    def __init__(self, counts: list[int], scale: float = 1.0, name: str = "ldam", **keywords):
        super().__init__(name=name, **keywords)
        self.counts, self.scale = counts, scale

    def of_logits(self, labels, logits):
        margins = np.maximum(self.counts, FEWEST) ** -0.25
        # A class without images is never to win, so that the rarest is one that has some.
        rarest = margins[np.asarray(self.counts) > 0].max()
        margins = np.minimum(margins * (LDAM_MARGIN / rarest), LDAM_MARGIN)
        taken = ops.one_hot(labels, logits.shape[-1], dtype="float32") * ops.convert_to_tensor(margins, "float32")
        return _cross_entropy(labels, self.scale * (logits - taken))

    def get_config(self):
        return {**super().get_config(), "counts": self.counts, "scale": self.scale}


def _cross_entropy(labels, logits):
    return keras.losses.sparse_categorical_crossentropy(labels, logits, from_logits=True)
