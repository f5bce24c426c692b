"""Recall@k and nearest neighbours against loops in NumPy."""

import tracemalloc

import numpy as np
import pytest
from sklearn.neighbors import KNeighborsClassifier

from kerasexp.evaluation.predictions import Predictions
from kerasexp.evaluation.retrieval import _majority, _unit_length, retrieval_metrics


def embedded(labels, features) -> Predictions:
    labels = np.asarray(labels)
    names = [str(i) for i in range(len(labels))]
    scores = np.full((len(labels), 4), 0.25, np.float32)
    return Predictions(
        names, labels, scores, list("abcd"), 0.0, np.arange(len(labels)), np.asarray(features, np.float32)
    )


def drawn(count: int, seed: int, classes: int = 4) -> Predictions:
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, classes, count)
    centers = np.random.default_rng(9).normal(0, 1, (4, 6))
    # Different lengths, which cosine similarity ignores.
    return embedded(
        labels, (centers[labels] + generator.normal(0, 0.9, (count, 6))) * generator.uniform(0.1, 9, (count, 1))
    )


def cosines(one, other) -> np.ndarray:
    one, other = (features / np.linalg.norm(features, axis=1, keepdims=True) for features in (one, other))
    return one.astype(np.float64) @ other.astype(np.float64).T


def test_recall_is_that_among_the_other_test_images():
    train, test = drawn(50, 0), drawn(60, 1)
    found = retrieval_metrics(train, test)
    similar = cosines(test.features, test.features)
    for k in (1, 5):
        hits = []
        for i, label in enumerate(test.y_true):
            others = [j for j in np.argsort(-similar[i]) if j != i][:k]
            hits.append(any(test.y_true[j] == label for j in others))
        assert found[f"recall_at_{k}"] == pytest.approx(np.mean(hits))
    assert 0.4 < found["recall_at_1"] < found["recall_at_5"] and found["images"] == 60


def test_the_vote_is_that_of_the_nearest_train_images():
    train, test = drawn(80, 2), drawn(60, 3)
    found = retrieval_metrics(train, test)
    similar = cosines(test.features, train.features)
    right = [
        np.bincount(train.y_true[np.argsort(-row)[:5]]).argmax() == label
        for row, label in zip(similar, test.y_true, strict=True)
    ]
    assert found["knn_accuracy"] == pytest.approx(np.mean(right)) and found["neighbours"] == 5
    assert 0.4 < found["knn_accuracy"] < 1


def test_an_image_is_not_its_own_neighbour_even_among_copies():
    alone = embedded([0, 1], [[1, 0], [1, 0]])
    assert retrieval_metrics(alone, alone) == {"knn_accuracy": 0.5, "neighbours": 2}
    copies = embedded([0, 0, 1, 2, 2, 3], np.ones((6, 2)))
    assert retrieval_metrics(copies, copies)["recall_at_5"] == 1
    test = embedded([0, 0, 1, 1], [[1, 0]] * 2 + [[0, 1]] * 2)
    assert retrieval_metrics(test, test)["recall_at_1"] == 1


def test_images_alone_in_their_class_are_left_out():
    test = embedded([0, 0, 1], [[1, 0], [0.9, 0.1], [0, 1]])
    found = retrieval_metrics(drawn(9, 0), embedded(test.y_true, np.pad(test.features, ((0, 0), (0, 4)))))
    assert (found["recall_at_1"], found["recall_at_5"], found["images"]) == (1, 1, 2)


def test_features_of_all_zeros_are_like_nothing_and_no_error():
    zeros = embedded([0, 0, 1, 1, 2], np.zeros((5, 3)))
    found = retrieval_metrics(zeros, zeros)
    assert all(np.isfinite(value) for value in found.values())


def test_features_that_are_no_numbers_have_no_figures():
    test = drawn(5, 0)
    broken = embedded(test.y_true, np.where(np.arange(6) == 2, np.nan, test.features))
    assert retrieval_metrics(test, broken) is None and retrieval_metrics(broken, test) is None


def test_a_sample_of_the_features_keeps_those_of_its_images():
    test = drawn(20, 0)
    some = test.sampling(np.array([3, 4, 17]))
    assert some.sampled.tolist() == [3, 4, 17] and np.array_equal(some.features, test.features[[3, 4, 17]])
    assert np.array_equal(some.y_true, test.y_true)


def test_the_vote_is_scikit_learns_and_takes_no_array_of_images_times_classes():
    """Each image is its own nearest neighbour, of a class that few others have, so that most votes are ties."""
    generator = np.random.default_rng(0)
    labels, features = np.arange(3000) // 2, generator.normal(0, 1, (3000, 3))
    train, test = (embedded(labels[order], features[order]) for order in map(generator.permutation, [3000, 3000]))
    tracemalloc.start()
    found = retrieval_metrics(train, test)["knn_accuracy"]
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    theirs = KNeighborsClassifier(5, algorithm="brute").fit(_unit_length(train.features), train.y_true)
    assert 0.1 < found == np.mean(theirs.predict(_unit_length(test.features)) == test.y_true) < 0.5
    assert most < 3000 * 1500 * 8 / 2


def test_of_equal_votes_the_first_class_wins():
    votes = np.array([[4, 2, 4, 2, 0], [3, 3, 1, 1, 1], [9, 8, 7, 6, 5], [2, 2, 2, 2, 2]])
    assert _majority(votes).tolist() == [2, 1, 5, 2]
