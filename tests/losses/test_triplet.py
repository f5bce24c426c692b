"""Triplet loss against loops over triplets in NumPy, its gradient against finite differences, and batches without any."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from kerasexp.losses.triplet_loss import TripletLoss, unit_length

LABELS = np.array([0, 0, 0, 1, 1, 2, 2, 2, 3])
MINING = ["batch_hard", "semi_hard"]


def embeddings(seed: int = 0, scale: float = 1.0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, scale, (len(LABELS), 5))


def by_loops(labels, points, margin, mining, normalise) -> float:
    """The definition, one triplet after the other."""
    if normalise:
        points = points / np.linalg.norm(points, axis=1, keepdims=True)
    n, losses = len(labels), []
    for a in range(n):
        to = [float(np.linalg.norm(points[a] - points[b])) for b in range(n)]
        positives = [to[b] for b in range(n) if b != a and labels[b] == labels[a]]
        negatives = [to[b] for b in range(n) if labels[b] != labels[a]]
        if not positives or not negatives:
            continue
        if mining == "batch_hard":
            losses.append(max(0, max(positives) - min(negatives) + margin))
            continue
        for positive in positives:
            within = [d for d in negatives if positive < d < positive + margin]
            losses.append(max(0, positive - (min(within) if within else max(negatives)) + margin))
    return float(np.mean(losses)) if losses else 0.0


@pytest.mark.parametrize("mining", MINING)
@pytest.mark.parametrize("normalise", [True, False])
@pytest.mark.parametrize("margin", [0.05, 0.3, 2.0])
@pytest.mark.parametrize("seed", range(3))
def test_the_loss_equals_its_definition(mining, normalise, margin, seed):
    points = embeddings(seed)
    expected = by_loops(LABELS, points, margin, mining, normalise)
    ours = float(TripletLoss(margin, mining, normalise)(LABELS, points.astype(np.float32)))
    assert expected > 0 and ours == pytest.approx(expected, rel=1e-5, abs=1e-6)


def test_the_minings_differ_and_so_does_normalisation():
    found = {
        round(by_loops(LABELS, embeddings(), 0.3, mining, normalise), 6)
        for mining in MINING
        for normalise in (True, False)
    }
    assert len(found) == 4


def points_on_a_line(*places: float) -> np.ndarray:
    return np.array(places, np.float32)[:, None]


@pytest.mark.parametrize(
    ("negatives", "expected"),
    [
        # The pair is 1 apart. The nearest beyond it and within the margin counts, however near another one is.
        ((-0.5, -1.2, -1.4), 0.3),
        # None within: one beyond the margin counts 0, whatever is nearer than the positive.
        ((-0.5, -3.0), 0.0),
        # All are nearer than the positive: the farthest of them.
        ((-0.5, -0.9), 0.6),
    ],
)
def test_semi_hard_takes_the_nearest_within_the_margin_or_else_the_farthest(negatives, expected):
    """Of the two anchors of the pair, the second is far from all negatives and counts 0."""
    labels = np.array([0, 0, *range(1, 1 + len(negatives))])
    loss = TripletLoss(0.5, "semi_hard", normalise=False)
    assert float(loss(labels, points_on_a_line(0, 1, *negatives))) == pytest.approx(expected / 2, abs=1e-6)


def test_batch_hard_takes_the_farthest_positive_and_the_nearest_negative():
    loss = TripletLoss(0.5, "batch_hard", normalise=False)
    labels = np.array([0, 0, 0, 1])
    # From 0, 1 and 2 the farthest of the class are 2, 1 and 2 away. The other class is 3, 4 and 5 away, and then 1, 2, 3.
    assert float(loss(labels, points_on_a_line(0, 1, 2, -3))) == 0
    assert float(loss(labels, points_on_a_line(0, 1, 2, -1))) == pytest.approx((1.5 + 0 + 0) / 3, abs=1e-6)


@pytest.mark.parametrize("mining", MINING)
@pytest.mark.parametrize("normalise", [True, False])
def test_the_gradient_is_that_of_finite_differences(mining, normalise):
    triplet, step = TripletLoss(0.7, mining, normalise, dtype="float64"), 1e-6
    points, loss = embeddings(4), tf.function(lambda points: triplet(LABELS, points))
    variable = tf.Variable(points)
    with tf.GradientTape() as tape:
        value = loss(variable)
    gradient = tape.gradient(value, variable).numpy()
    expected = np.zeros_like(points)
    for place in np.ndindex(points.shape):
        moved = [points.copy(), points.copy()]
        moved[0][place] += step
        moved[1][place] -= step
        expected[place] = float(loss(tf.constant(moved[0])) - loss(tf.constant(moved[1]))) / (2 * step)
    assert np.abs(expected).max() > 0.01
    np.testing.assert_allclose(gradient, expected, rtol=1e-5, atol=1e-7)


BATCHES = {
    "all at one place": (LABELS, np.ones((9, 5))),
    "all zeros": (LABELS, np.zeros((9, 5))),
    "one class": (np.zeros(9, int), embeddings()),
    "one image each": (np.arange(9), embeddings()),
    "one image": (np.array([3]), embeddings()[:1]),
    "each image twice": (np.repeat([0, 1, 2, 0], 2), np.repeat(embeddings()[:4], 2, axis=0)),
    "the same in two classes": (np.array([0, 0, 1, 1]), np.repeat(embeddings()[:1], 4, axis=0)),
    "huge": (LABELS, embeddings(scale=1e15)),
    "tiny": (LABELS, embeddings(scale=1e-20)),
}


@pytest.mark.parametrize("mining", MINING)
@pytest.mark.parametrize("normalise", [True, False])
@pytest.mark.parametrize("batch", BATCHES)
def test_no_batch_gives_a_loss_or_gradient_that_is_no_number(mining, normalise, batch):
    labels, points = BATCHES[batch]
    variable = tf.Variable(points.astype(np.float32))
    with tf.GradientTape() as tape:
        value = TripletLoss(0.3, mining, normalise)(labels, variable)
    gradient = tf.convert_to_tensor(tape.gradient(value, variable)).numpy()
    assert np.isfinite(float(value)) and np.isfinite(gradient).all()
    if batch.startswith("one "):
        assert float(value) == 0 and not gradient.any()
    if batch.startswith(("all", "the same")):
        assert float(value) == pytest.approx(0.3, abs=1e-5) and np.abs(gradient).max() < 1e-3


@pytest.mark.parametrize("mining", MINING)
def test_it_is_computed_in_float32_whatever_the_embedding_is(mining):
    """Squares of these overflow in float16."""
    points = embeddings(scale=100.0).astype(np.float16)
    value = TripletLoss(0.3, mining, normalise=False)(LABELS, tf.constant(points))
    assert value.dtype == tf.float32
    assert float(value) == pytest.approx(by_loops(LABELS, points.astype(float), 0.3, mining, False), rel=1e-4)


def test_far_from_the_origin_the_hardest_are_still_found():
    """Squared lengths of 1e6 leave a matrix product no digits for distances of 1."""
    points = embeddings(2).astype(np.float32)
    near, far = (float(TripletLoss(0.3, "batch_hard", False)(LABELS, points + offset)) for offset in (0, 512))
    assert far == pytest.approx(near, rel=1e-3)


def test_labels_may_be_a_column():
    points = embeddings().astype(np.float32)
    assert float(TripletLoss()(LABELS[:, None], points)) == float(TripletLoss()(LABELS, points))


def test_an_embedding_is_scaled_to_length_one():
    lengths = np.linalg.norm(np.asarray(unit_length(tf.constant(embeddings()))), axis=1)
    np.testing.assert_allclose(lengths, 1, atol=1e-6)


def test_a_loss_can_be_saved():
    loss = TripletLoss(0.7, "semi_hard", False)
    again = keras.losses.deserialize(keras.losses.serialize(loss))
    assert (again.margin, again.mining, again.normalise, again.name) == (0.7, "semi_hard", False, "triplet")
