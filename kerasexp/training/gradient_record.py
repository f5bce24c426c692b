"""What a run records of the size of its gradients and updates; read without TensorFlow."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Gradients:
    """Each layer's gradients and updates at some steps; infinite or NaN where a training diverged.

    Attributes:
        steps: int64 [s], from 1.
        layers: the layers with a trainable kernel, from input to output.
        mean, largest: of the absolute gradient, float32 [s, layers].
        ratio: length of the update over length of the weights, ‖Δw‖/‖w‖, float32 [s, layers].
    """

    steps: np.ndarray
    layers: list[str]
    mean: np.ndarray
    largest: np.ndarray
    ratio: np.ndarray


NO_GRADIENTS = Gradients(np.zeros(0, np.int64), [], *(np.zeros((0, 0), np.float32) for _ in range(3)))
