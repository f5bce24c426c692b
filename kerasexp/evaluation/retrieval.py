"""How well the embedding alone finds images of the same class: what a metric loss trains it for."""

from __future__ import annotations

import numpy as np

from kerasexp.evaluation.predictions import Predictions

RECALLS = (1, 5)
NEIGHBOURS = 5


def retrieval_metrics(train: Predictions, test: Predictions) -> dict[str, float | int] | None:
    """Return the figures of test images that are looked up by their features, by cosine similarity.

    Keys:
        `recall_at_1`, `recall_at_5`: the share of test images that have one of their class among the so many most similar
        other TEST images; absent where no class has two of them. Images that are alone in their class are left out.
        `images`: how many that are.
        `knn_accuracy`: the share that has the class of the majority of the `neighbours` most similar TRAIN images; of
        classes with as many votes the first one is taken.
        `neighbours`: 5, or as many as train has.

    Cosine similarity for all runs, whatever the loss took, so that their figures can be compared; an image whose features
    are all zeros is equally unlike all others. scikit-learn compares piece by piece, so that memory grows with the number
    of images and not with its square.

    Args:
        train: with the features of all its images, which must not be changed at random.
        test: the same.

    Returns:
        None where features are no numbers.
    """
    from sklearn.neighbors import KNeighborsClassifier

    known, asked = _unit_length(train.features), _unit_length(test.features)
    if not (np.isfinite(known).all() and np.isfinite(asked).all()):
        return None
    neighbours = min(NEIGHBOURS, len(known))
    classifier = KNeighborsClassifier(neighbours, algorithm="brute").fit(known, train.y_true)
    return {
        **_recalls(asked, test.y_true),
        "knn_accuracy": float(np.mean(classifier.predict(asked) == test.y_true)),
        "neighbours": neighbours,
    }


def retrieval_words(retrieval: dict[str, float | int]) -> dict[str, float]:
    """Return the figures by what they are called for people."""
    words = {f"recall_at_{k}": f"recall@{k} within test" for k in RECALLS}
    words["knn_accuracy"] = f"accuracy of the {retrieval['neighbours']} nearest of train"
    return {word: retrieval[key] for key, word in words.items() if key in retrieval}


def _recalls(features: np.ndarray, labels: np.ndarray) -> dict[str, float | int]:
    from sklearn.neighbors import NearestNeighbors

    accompanied = np.bincount(labels)[labels] > 1
    if not accompanied.any():
        return {}
    most = min(max(RECALLS), len(labels) - 1)
    # Asked for no images in particular, it takes those that it knows, and none for its own neighbour.
    nearest = NearestNeighbors(n_neighbors=most, algorithm="brute").fit(features).kneighbors(return_distance=False)
    same = (labels[nearest] == labels[:, None])[accompanied]
    found = {f"recall_at_{k}": float(same[:, :k].any(axis=1).mean()) for k in RECALLS}
    return {**found, "images": int(accompanied.sum())}


def _unit_length(features: np.ndarray) -> np.ndarray:
    """Return float32 [n, f] scaled to length 1, of which Euclidean distances have the order of cosine similarities."""
    lengths = np.linalg.norm(features.astype(np.float64), axis=1, keepdims=True)
    return (features / np.where(lengths > 0, lengths, 1)).astype(np.float32)
