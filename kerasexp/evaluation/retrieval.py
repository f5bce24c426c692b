"""Retrieval metrics of the features: whether the most similar images are of the same class."""

from __future__ import annotations

import numpy as np

from kerasexp.evaluation.predictions import Predictions

RECALLS = (1, 5)
NEIGHBOURS = 5


def retrieval_metrics(train: Predictions, test: Predictions) -> dict[str, float | int] | None:
    """Return the metrics of nearest-neighbour search by cosine similarity of the features.

    Keys:
        `recall_at_1`, `recall_at_5`: share of test images with an image of their class among the k most similar other TEST
        images; absent where no class has two. Images that are alone in their class are left out.
        `images`: number of test images that recall is averaged over.
        `knn_accuracy`: accuracy of the majority vote of the `neighbours` most similar TRAIN images; the first class wins a
        tie.
        `neighbours`: 5, or the number of train images if lower.

    All runs use cosine similarity, whatever their loss uses, so that their metrics are comparable. An image whose features
    are all zeros is equally dissimilar to all others. scikit-learn works in chunks, so that memory grows linearly with the
    number of images.

    Args:
        train: with features, of all its images or of a large sample, without augmentation.
        test: with features likewise.

    Returns:
        None where features are not finite.
    """
    from sklearn.neighbors import NearestNeighbors

    reference, queries = _unit_length(train.features), _unit_length(test.features)
    if not (np.isfinite(reference).all() and np.isfinite(queries).all()):
        return None
    neighbours = min(NEIGHBOURS, len(reference))
    nearest = NearestNeighbors(n_neighbors=neighbours, algorithm="brute").fit(reference)
    voted = _majority(train.y_true[train.sampled][nearest.kneighbors(queries, return_distance=False)])
    labels = test.y_true[test.sampled]
    return {
        **_recalls(queries, labels),
        "knn_accuracy": float(np.mean(voted == labels)),
        "neighbours": neighbours,
    }


def retrieval_labels(retrieval: dict[str, float | int]) -> dict[str, float]:
    """Return the metrics by their names in tables."""
    labels = {f"recall_at_{k}": f"recall@{k} within test" for k in RECALLS}
    labels["knn_accuracy"] = f"accuracy of the {retrieval['neighbours']} nearest neighbours in train"
    return {label: retrieval[key] for key, label in labels.items() if key in retrieval}


def _majority(votes: np.ndarray) -> np.ndarray:
    """Return the most frequent class of each row of int64 [n, votes]; of equally frequent ones the first.

    scikit-learn's classifier gives the same, by an array of images times classes.
    """
    same = (votes[:, :, np.newaxis] == votes[:, np.newaxis]).sum(axis=2)
    wins = same == same.max(axis=1, keepdims=True)
    return np.where(wins, votes, np.iinfo(np.int64).max).min(axis=1)


def _recalls(features: np.ndarray, labels: np.ndarray) -> dict[str, float | int]:
    from sklearn.neighbors import NearestNeighbors

    accompanied = np.bincount(labels)[labels] > 1
    if not accompanied.any():
        return {}
    most = min(max(RECALLS), len(labels) - 1)
    # Without an argument, `kneighbors` queries the fitted images and excludes each from its own neighbours.
    nearest = NearestNeighbors(n_neighbors=most, algorithm="brute").fit(features).kneighbors(return_distance=False)
    same = (labels[nearest] == labels[:, None])[accompanied]
    found = {f"recall_at_{k}": float(same[:, :k].any(axis=1).mean()) for k in RECALLS}
    return {**found, "images": int(accompanied.sum())}


def _unit_length(features: np.ndarray) -> np.ndarray:
    """Return float32 [n, f] of length 1: their Euclidean distances rank as the cosine similarities do."""
    lengths = np.linalg.norm(features.astype(np.float64), axis=1, keepdims=True)
    return (features / np.where(lengths > 0, lengths, 1)).astype(np.float32)
