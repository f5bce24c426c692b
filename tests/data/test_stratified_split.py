"""The own stratified split is that of scikit-learn, image by image."""

import numpy as np
import pytest
from sklearn.model_selection import StratifiedShuffleSplit

from kerasexp.data.stratified_split import stratified_split


def by_scikit_learn(labels: np.ndarray, part: float, seed: int) -> list[list[int]] | None:
    try:
        ((kept, held),) = StratifiedShuffleSplit(1, test_size=part, random_state=seed).split(labels, labels)
    except ValueError:
        return None
    return [sorted(kept.tolist()), sorted(held.tolist())]


def by_ours(labels: np.ndarray, part: float, seed: int) -> list[list[int]] | None:
    found = stratified_split(labels, part, seed)
    return found and [positions.tolist() for positions in found]


@pytest.mark.parametrize("seed", range(40))
def test_labels_drawn_at_random(seed):
    generator = np.random.default_rng(seed)
    classes = int(generator.integers(1, 80))
    shares = generator.dirichlet(np.full(classes, generator.choice([0.3, 3, 300])))
    for part in (0.1, 0.15, 0.25, 0.5, 0.9, 1 / 3, float(generator.uniform())):
        labels = generator.choice(classes, int(generator.integers(classes, 40 * classes + 2)), p=shares)
        assert by_ours(labels, part, seed) == by_scikit_learn(labels, part, seed)


@pytest.mark.parametrize("part", [0.05, 0.1, 0.2, 0.3])
@pytest.mark.parametrize("each", [2, 7, 10, 40, 55, 500])
def test_classes_of_one_size_whose_remainders_are_equal(each, part):
    labels = np.random.default_rng(0).permutation(np.repeat(np.arange(0, 186, 3), each))
    for seed in (0, 1, 2**32 - 1):
        assert by_ours(labels, part, seed) == by_scikit_learn(labels, part, seed)


@pytest.mark.parametrize(
    ("labels", "part"),
    [([], 0.1), ([0], 0.5), ([0, 0, 1], 0.5), ([0, 0, 1, 1], 0.25), ([0, 0, 1, 1], 0.9), ([0, 0], 0.0), ([0, 0], 1.0)],
)
def test_what_scikit_learn_refuses(labels, part):
    labels = np.array(labels, np.int64)
    assert by_scikit_learn(labels, part, 0) is None
    assert by_ours(labels, part, 0) is None
