"""Predictions to compute metrics from."""

import numpy as np
import pytest

from kerasexp.evaluation.predictions import Predictions


@pytest.fixture
def predictions():
    """Return a function that makes predictions of which about two in three are correct."""

    def make(count=200, classes=6, absent=None, never=None, seed=0, names=None) -> Predictions:
        generator = np.random.default_rng(seed)
        y_true = generator.integers(0, classes, count)
        if absent is not None:
            y_true[y_true == absent] = (absent + 1) % classes
        score = generator.dirichlet(np.ones(classes) * 0.5, count)
        score[np.arange(count), y_true] += 0.6
        if never is not None:
            score[:, never] = 1e-9
        score = (score / score.sum(axis=1, keepdims=True)).astype(np.float32)
        return Predictions([f"p/{i}" for i in range(count)], y_true, score, names or [f"c{k}" for k in range(classes)])

    return make
