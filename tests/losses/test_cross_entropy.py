import keras
import numpy as np
import pytest

from kerasexp.config.training import Loss
from kerasexp.losses import build_loss


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.5])
def test_cross_entropy_equals_its_definition(smoothing):
    generator = np.random.default_rng(0)
    scores = generator.dirichlet(np.ones(5), 20).astype(np.float32)
    labels = generator.integers(0, 5, 20)
    expected = 0.0
    for row, label in zip(scores.astype(np.float64), labels, strict=True):
        for k in range(5):
            target = smoothing / 5 + (1 - smoothing) * (k == label)
            expected -= target * np.log(row[k]) / 20
    loss = build_loss(Loss(label_smoothing=smoothing))
    assert float(loss(labels, scores)) == pytest.approx(expected, rel=1e-5)


def test_certain_and_wrong_is_large_but_finite():
    for smoothing in (0.0, 0.1):
        value = float(build_loss(Loss(label_smoothing=smoothing))(np.array([0]), np.array([[0.0, 1.0]], np.float32)))
        assert 10 < value < 20


def test_smoothed_cross_entropy_can_be_saved():
    loss = build_loss(Loss(label_smoothing=0.2))
    assert type(loss).from_config(loss.get_config()).label_smoothing == 0.2
    assert isinstance(loss, keras.losses.Loss)
