"""Labels and probabilities, drawn without a model; images that are read later."""

import numpy as np
import pytest

from kerasexp.data import lazy_images
from kerasexp.data.lazy_images import LazyImages

CLASSES = 5


class ReadLater(LazyImages):
    """Images of an array; `read` has how many were read at a time."""

    def __init__(self, images: np.ndarray):
        super().__init__(len(images), images.shape[1:])
        self._images, self.read = images, []

    def _read(self, stored: np.ndarray) -> np.ndarray:
        self.read.append(len(stored))
        return self._images[stored]


@pytest.fixture
def read_later(monkeypatch):
    """Return the class of images that are read later, of which seven are held in memory at a time."""
    monkeypatch.setattr(lazy_images, "CHUNK_IMAGES", 7)
    return ReadLater


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
