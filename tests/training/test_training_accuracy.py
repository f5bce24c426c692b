"""The accuracy during training, also of mixed labels."""

import numpy as np
import pytest

from kerasexp.config import experiment_from
from kerasexp.models.decoding_layer import decoding_of
from kerasexp.training.training_accuracy import build_accuracy

LOGITS = np.array([[2, 1, 0], [0, 3, 1], [0, 1, 2]], np.float32)


def accuracy(labels: np.ndarray, logits: np.ndarray = LOGITS, **keys) -> float:
    training = experiment_from({"name": "any", **keys}).training
    metric = build_accuracy(training, decoding_of(training.decode, [1] * 3))
    metric.update_state(labels, logits)
    return float(metric.result())


def test_mixed_labels_count_by_their_largest_share():
    shares = np.array([[0.6, 0.4, 0], [0.5, 0.1, 0.4], [0, 0.3, 0.7]], np.float32)
    assert accuracy(shares) == pytest.approx(2 / 3)
    assert accuracy(np.array([0, 0, 2])) == pytest.approx(2 / 3)
    assert accuracy(np.eye(3, dtype=np.float32)) == 1


def test_several_mixed_labels_are_present_above_a_half():
    section = {
        "data": {"source": "npz", "path": "x.npz", "multi_label": True},
        "training": {"loss": "binary_cross_entropy"},
    }
    logits = np.array([[1, -1, 1], [-1, 1, -1]], np.float32)
    shares = np.array([[0.7, 0.5, 1], [0.2, 0.4, 0]], np.float32)
    assert accuracy(shares, logits, **section) == 0.5
    assert accuracy((shares > 0.5).astype(np.uint8), logits, **section) == 0.5
