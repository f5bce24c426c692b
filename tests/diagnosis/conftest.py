"""Labels and probabilities, drawn without a model."""

import numpy as np
import pytest

CLASSES = 5


@pytest.fixture
def noisy():
    """Return a function that draws 5,000 labels of which a share is wrong, probabilities, and which labels are wrong."""

    def make(rate: float, count: int = 5000):
        generator = np.random.default_rng(0)
        true = generator.integers(0, CLASSES, count)
        wrong = generator.random(count) < rate
        labels = np.where(wrong, (true + generator.integers(1, CLASSES, count)) % CLASSES, true)
        # A model trained on such labels is as unsure of every image as they are.
        score = generator.dirichlet(np.full(CLASSES, 2.0), count) * 0.2 + np.full(CLASSES, rate / CLASSES)
        score[np.arange(count), true] += 1 - rate
        return labels, (score / score.sum(axis=1, keepdims=True)).astype(np.float32), wrong

    return make
