import keras
import numpy as np
import pytest

from kerasexp.config.loss_section import BinaryCrossEntropy
from kerasexp.losses import build_multi_label_loss

NAMES, COUNTS = ["cat", "dog"], [1, 3]
LABELS = np.array([[1, 1], [0, 1], [0, 1], [0, 0]], np.uint8)
LOGITS = np.random.default_rng(0).normal(0, 3, (4, 2)).astype(np.float32)


def value(**keys) -> float:
    return float(build_multi_label_loss(BinaryCrossEntropy(**keys), COUNTS, NAMES, 4)(LABELS, LOGITS))


def by_hand(weights=(1, 1), smoothing=0.0) -> float:
    p, targets = 1 / (1 + np.exp(-LOGITS.astype(np.float64))), LABELS * (1 - smoothing) + smoothing / 2
    return float(-(np.array(weights) * targets * np.log(p) + (1 - targets) * np.log(1 - p)).mean())


def test_the_loss_is_that_of_its_definition():
    assert value() == pytest.approx(by_hand(), abs=1e-6)
    assert value(label_smoothing=0.2) == pytest.approx(by_hand(smoothing=0.2), abs=1e-6)
    assert value(class_weights={"dog": 2.5}) == pytest.approx(by_hand((1, 2.5)), abs=1e-6)
    # Three images without a cat and one with; one without a dog and three with.
    assert value(class_weights="balanced") == pytest.approx(by_hand((3, 1 / 3)), abs=1e-6)
    assert value(class_weights={"cat": 4}, label_smoothing=0.1) == pytest.approx(by_hand((4, 1), 0.1), abs=1e-6)


def test_weights_of_one_change_nothing_and_large_logits_stay_finite():
    assert value(class_weights={"cat": 1}) == pytest.approx(value(), abs=1e-6)
    loss = build_multi_label_loss(BinaryCrossEntropy(class_weights={"cat": 2}), COUNTS, NAMES, 4)
    assert np.isfinite(float(loss(LABELS, 1000 * LOGITS)))
    again = keras.losses.deserialize(keras.losses.serialize(loss))
    assert float(again(LABELS, LOGITS)) == float(loss(LABELS, LOGITS))
