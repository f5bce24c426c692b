"""Each loss against its definition, written slowly in NumPy; and at logits where probabilities are 0 and 1."""

import keras
import numpy as np
import pytest
from pydantic import TypeAdapter

from kerasexp.config.loss_section import Loss, losses_of_mixed_labels
from kerasexp.losses import LOSSES, build_loss

CLASSES = 4
LABELS = np.array([0, 0, 0, 0, 0, 1, 1, 1, 2, 3])
COUNTS = [5, 3, 1, 1]
TRANSITION = [[0, 0.5, 0.3, 0.2], [0.1, 0, 0.6, 0.3], [0.4, 0.4, 0, 0.2], [0.3, 0.3, 0.4, 0]]


def section(name: str = "cross_entropy", **keys) -> Loss:
    return TypeAdapter(Loss).validate_python({"name": name, **keys})


def logits(scale: float = 2.0) -> np.ndarray:
    return np.random.default_rng(0).normal(0, scale, (len(LABELS), CLASSES)).astype(np.float32)


def softmax(row: np.ndarray) -> np.ndarray:
    powers = np.exp(row.astype(np.float64) - row.max())
    return powers / powers.sum()


def each(rule) -> float:
    """Mean of rule(probabilities, label, logits) over the images."""
    return np.mean([rule(softmax(row), c, row.astype(np.float64)) for row, c in zip(logits(), LABELS, strict=True)])


def parts() -> np.ndarray:
    """r_j of Ishida et al. 2019, a loop over classes."""
    p = np.array([softmax(row) for row in logits()])
    shares = np.array(COUNTS) / 10
    means = np.array([-np.log(p[k == LABELS]).mean(axis=0) for k in range(CLASSES)])
    return np.array(
        [sum(shares[k] * means[k, j] for k in range(CLASSES)) - 3 * shares[j] * means[j, j] for j in range(CLASSES)]
    )


def adjusted(row: np.ndarray, tau: float) -> np.ndarray:
    return softmax(row + tau * np.log(np.array(COUNTS) / 10))


def balanced_weights(beta: float) -> np.ndarray:
    weights = np.array([(1 - beta) / (1 - beta**n) for n in COUNTS])
    return weights / (np.dot(weights, COUNTS) / 10)


MARGINS = 0.5 * np.array(COUNTS) ** -0.25 / max(np.array(COUNTS) ** -0.25)
EXPECTED = {
    "cross_entropy": (section(), lambda: each(lambda p, c, g: -np.log(p[c]))),
    "smoothed": (section(label_smoothing=0.2), lambda: each(lambda p, c, g: -0.8 * np.log(p[c]) - 0.05 * np.log(p).sum())),
    "scl_nl": (section("scl_nl"), lambda: each(lambda p, c, g: -np.log(1 - p[c]))),
    "scl_exp": (section("scl_exp"), lambda: each(lambda p, c, g: np.exp(p[c]))),
    "forward": (section("forward"), lambda: each(lambda p, c, g: -np.log((1 - p[c]) / 3))),
    "forward, any transition": (
        section("forward", transition=TRANSITION),
        lambda: each(lambda p, c, g: -np.log(sum(p[k] * TRANSITION[k][c] for k in range(CLASSES)))),
    ),
    "unbiased": (section("unbiased"), lambda: parts().sum()),
    "non_negative": (section("non_negative"), lambda: np.maximum(parts(), 0).sum()),
    "gradient_ascent": (
        section("gradient_ascent"),
        lambda: -np.minimum(parts(), 0).sum() if parts().min() < 0 else parts().sum(),
    ),
    "logit_adjusted": (section("logit_adjusted"), lambda: each(lambda p, c, g: -np.log(adjusted(g, 1)[c]))),
    "logit_adjusted, tau 2": (section("logit_adjusted", tau=2.0), lambda: each(lambda p, c, g: -np.log(adjusted(g, 2)[c]))),
    "class_balanced": (
        section("class_balanced", beta=0.9),
        lambda: each(lambda p, c, g: -balanced_weights(0.9)[c] * np.log(p[c])),
    ),
    "focal": (section("focal"), lambda: each(lambda p, c, g: -((1 - p[c]) ** 2) * np.log(p[c]))),
    "ldam": (
        section("ldam", scale=3.0),
        lambda: each(lambda p, c, g: -np.log(softmax(3 * (g - MARGINS * (np.arange(CLASSES) == c)))[c])),
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", EXPECTED)
def test_a_loss_equals_its_definition(case):
    loss, expected = EXPECTED[case]
    ours = float(build_loss(loss, COUNTS)(LABELS, logits()))
    assert ours == pytest.approx(expected(), rel=2e-5, abs=1e-6)


def test_some_part_of_the_risk_is_negative_or_the_three_could_not_be_told_apart():
    assert parts().min() < 0
    assert len({round(float(build_loss(section(n), COUNTS)(LABELS, logits())), 5) for n in
                ("unbiased", "non_negative", "gradient_ascent")}) == 3  # fmt: skip


@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("name", LOSSES)
def test_certainty_has_a_finite_loss_and_gradient(name, dtype):
    """Logits a thousand apart: each image's class has probability 0, or 1."""
    import tensorflow as tf

    loss = build_loss(section(name), COUNTS)
    for sign in (1, -1):
        extreme = tf.Variable(tf.cast(sign * 1000.0 * tf.one_hot(LABELS, CLASSES), dtype))
        with tf.GradientTape() as tape:
            value = loss(LABELS, extreme)
        gradient = tape.gradient(value, extreme)
        assert np.isfinite(float(value)) and np.isfinite(gradient.numpy()).all(), sign


def test_a_certain_mistake_of_a_complementary_label_is_unlearned():
    """With p_c = 1 the gradient is not lost: -log(1 - p_c) of probabilities alone would have none."""
    import tensorflow as tf

    extreme = tf.Variable([[200.0, 0.0, 0.0, 0.0]])
    with tf.GradientTape() as tape:
        value = build_loss(section("scl_nl"), COUNTS)(np.array([0]), extreme)
    assert float(value) == pytest.approx(200 - np.log(3), rel=1e-5)
    assert tape.gradient(value, extreme).numpy()[0, 0] == pytest.approx(1.0, abs=1e-5)


@pytest.mark.parametrize("case", EXPECTED)
def test_a_loss_can_be_saved(case):
    loss = build_loss(EXPECTED[case][0], COUNTS)
    again = keras.losses.deserialize(keras.losses.serialize(loss))
    assert float(again(LABELS, logits())) == float(loss(LABELS, logits()))


def test_a_class_without_images_breaks_none():
    for name in LOSSES:
        loss = build_loss(section(name), [2, 1, 1, 0])
        assert np.isfinite(float(loss(LABELS, logits()))), name


def test_the_margins_of_ldam_are_those_of_the_classes_with_images():
    three, logit = [5, 3, 1], logits()[:, :3]
    labels = np.array([0, 1, 2, 0])
    with_absent = np.concatenate([logit[:4], np.full((4, 1), -1e9, np.float32)], axis=1)
    found = build_loss(section("ldam"), [*three, 0])(labels, with_absent)
    assert float(found) == pytest.approx(float(build_loss(section("ldam"), three)(labels, logit[:4])), rel=1e-6)


SHARES = np.random.default_rng(5).dirichlet(np.ones(CLASSES), len(LABELS)).astype(np.float32)
MIXABLE = {
    "cross_entropy": (section(), lambda p, g, y: -np.sum(y * np.log(p))),
    "smoothed": (section(label_smoothing=0.2), lambda p, g, y: -np.sum((0.8 * y + 0.05) * np.log(p))),
    "logit_adjusted": (section("logit_adjusted"), lambda p, g, y: -np.sum(y * np.log(adjusted(g, 1.0)))),
}


@pytest.mark.parametrize("name", MIXABLE)
def test_losses_of_mixed_labels(name):
    how, rule = MIXABLE[name]
    loss, rows = build_loss(how, COUNTS), logits().astype(np.float64)
    expected = np.mean([rule(softmax(g), g, y) for g, y in zip(rows, SHARES, strict=True)])
    assert float(loss(SHARES, logits())) == pytest.approx(expected, rel=1e-5)
    whole = np.eye(CLASSES, dtype=np.float32)[LABELS]
    assert float(loss(whole, logits())) == pytest.approx(float(loss(LABELS, logits())), rel=1e-6)
    column = loss(LABELS[:, np.newaxis], logits())
    assert float(column) == pytest.approx(float(loss(LABELS, logits())), rel=1e-6)


def test_the_losses_that_take_mixed_labels_are_those_that_say_so():
    assert losses_of_mixed_labels() == ["cross_entropy", "logit_adjusted", "binary_cross_entropy"]
    for name in LOSSES:
        loss = build_loss(section(name), COUNTS)
        if name not in losses_of_mixed_labels():
            with pytest.raises(NotImplementedError, match="takes no mixed labels"):
                loss(SHARES, logits())


def test_plain_cross_entropy_is_keras_s_own():
    own = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    assert float(build_loss(section(), COUNTS)(LABELS, logits())) == float(own(LABELS, logits()))
