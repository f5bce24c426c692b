"""Center loss and the way of its centers, against loops in NumPy."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from kerasexp.losses.center_loss import CenterLoss

CLASSES, WIDTH = 4, 3
LABELS = np.array([0, 0, 0, 1, 1, 3])


def embeddings(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 1, (len(LABELS), WIDTH))


def by_loops(labels, points, centers, alpha) -> tuple[float, np.ndarray]:
    """The loss and the centers after it, one image and one class after the other."""
    loss = np.mean([0.5 * np.sum((f - centers[y]) ** 2) for f, y in zip(points, labels, strict=True)])
    moved = centers.copy()
    for j in range(len(centers)):
        own = points[labels == j]
        moved[j] -= alpha * np.sum(centers[j] - own, axis=0) / (1 + len(own))
    return float(loss), moved


@pytest.mark.parametrize("alpha", [0.5, 1.0, 0.01])
def test_loss_and_centers_equal_their_definition_over_several_batches(alpha):
    ours, centers = CenterLoss(CLASSES, WIDTH, alpha), np.zeros((CLASSES, WIDTH))
    for seed in range(4):
        expected, centers = by_loops(LABELS, embeddings(seed), centers, alpha)
        assert float(ours(LABELS, embeddings(seed).astype(np.float32))) == pytest.approx(expected, rel=1e-5)
        np.testing.assert_allclose(ours.centers.numpy(), centers, rtol=1e-5, atol=1e-6)
    assert not centers[2].any() and centers[3].any()


def test_it_is_the_same_within_a_graph():
    """There the centers are read before they move, too."""
    ours, centers = CenterLoss(CLASSES, WIDTH), np.zeros((CLASSES, WIDTH))
    step = tf.function(lambda labels, points: ours(labels, points))
    for seed in range(3):
        expected, centers = by_loops(LABELS, embeddings(seed), centers, 0.5)
        value = step(tf.constant(LABELS), tf.constant(embeddings(seed), tf.float32))
        assert float(value) == pytest.approx(expected, rel=1e-5)
    np.testing.assert_allclose(ours.centers.numpy(), centers, rtol=1e-5, atol=1e-6)


def test_the_gradient_is_that_of_finite_differences_with_the_centers_held():
    ours = CenterLoss(CLASSES, WIDTH, dtype="float64")
    centers = np.random.default_rng(5).normal(0, 1, (CLASSES, WIDTH))

    def value(points):
        ours.centers.assign(centers)
        return ours(LABELS, points)

    variable, step = tf.Variable(embeddings()), 1e-6
    with tf.GradientTape() as tape:
        loss = value(variable)
    gradient = tape.gradient(loss, variable).numpy()
    for place in np.ndindex(gradient.shape):
        up, down = embeddings(), embeddings()
        up[place] += step
        down[place] -= step
        assert gradient[place] == pytest.approx(float(value(up) - value(down)) / (2 * step), rel=1e-6, abs=1e-9)


def test_the_weight_means_the_same_at_any_batch_size():
    points = embeddings().astype(np.float32)
    once, twice = CenterLoss(CLASSES, WIDTH), CenterLoss(CLASSES, WIDTH)
    assert float(once(LABELS, points)) == pytest.approx(float(twice(np.tile(LABELS, 2), np.tile(points, (2, 1)))))


def test_centers_are_state_that_no_gradient_moves():
    ours = CenterLoss(CLASSES, WIDTH)
    assert ours.trainable_variables == [] and [v.path for v in ours.variables] == ["center/centers"]
    assert ours.centers.shape == (CLASSES, WIDTH)


@pytest.mark.parametrize(
    ("labels", "points"),
    [([1], np.ones((1, WIDTH))), ([1, 1], np.zeros((2, WIDTH))), ([0] * 5, np.full((5, WIDTH), 1e15))],
    ids=["one image", "all zeros", "huge"],
)
def test_no_batch_gives_a_number_that_is_none(labels, points):
    ours, variable = CenterLoss(CLASSES, WIDTH), tf.Variable(points.astype(np.float32))
    with tf.GradientTape() as tape:
        value = ours(np.array(labels), variable)
    assert np.isfinite(float(value)) and np.isfinite(tape.gradient(value, variable).numpy()).all()
    assert np.isfinite(ours.centers.numpy()).all()


def test_it_is_computed_in_float32_under_mixed_precision():
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        ours = CenterLoss(CLASSES, WIDTH)
        points = tf.cast(300 * embeddings(), tf.float16)
        value = ours(LABELS, points)
    finally:
        keras.config.set_dtype_policy(before)
    assert value.dtype == tf.float32 and ours.centers.dtype == "float32"
    expected, centers = by_loops(LABELS, points.numpy().astype(float), np.zeros((CLASSES, WIDTH)), 0.5)
    assert float(value) == pytest.approx(expected, rel=1e-5)
    np.testing.assert_allclose(ours.centers.numpy(), centers, rtol=1e-4)
