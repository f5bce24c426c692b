"""The kinds of labels, told apart on answers that are drawn without a model."""

import numpy as np
import pytest

from kerasexp.diagnosis.label_verdict import Opinion, judge_labels, kappa_error, moved_classes

NAMES = list("abcdefghij")


def scores(true: np.ndarray, right: float = 0.97, classes: int = 10, seed: int = 1) -> np.ndarray:
    """Return the probabilities of a model that is right so often, and as sure."""
    generator = np.random.default_rng(seed)
    answers = np.where(generator.random(len(true)) < right, true, generator.integers(0, classes, len(true)))
    score = generator.dirichlet(np.ones(classes), len(true)) * (1 - right)
    score[np.arange(len(true)), answers] += right
    return score.astype(np.float32)


def opinion(labels, score, own_error=0.03, learned=False) -> Opinion:
    return Opinion(labels, score, NAMES[: score.shape[1]], own_error, learned)


@pytest.fixture
def true() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 10, 4000)


def complement(true: np.ndarray, classes: int = 10) -> np.ndarray:
    return (true + np.random.default_rng(2).integers(1, classes, len(true))) % classes


@pytest.mark.parametrize("learned", [False, True])
def test_right_labels_are_ordinary(true, learned):
    verdict = judge_labels(opinion(true, scores(true, 0.99), 0.02, learned))
    assert (verdict.kind, verdict.decode, verdict.resolved) == ("ordinary", "argmax", True)
    assert verdict.rate < 0.02


@pytest.mark.parametrize("rate", [0.05, 0.2, 0.4])
def test_noise_is_noise_with_its_rate(true, rate):
    generator = np.random.default_rng(3)
    labels = np.where(generator.random(len(true)) < rate, complement(true), true)
    verdict = judge_labels(opinion(labels, scores(true, 0.995), 0.01))
    assert verdict.kind == "noisy" and verdict.rate == pytest.approx(rate, abs=0.02)
    assert verdict.low - 0.01 <= rate <= verdict.high + 0.01


def test_what_a_poor_model_disagrees_with_is_not_called_noise(true):
    """It is right in 60 %, and two such models disagree as often as either does with the labels."""
    score = scores(true, 0.6)
    own = kappa_error(score.argmax(axis=1), scores(true, 0.6, seed=9).argmax(axis=1), 10)
    verdict = judge_labels(opinion(true, score, own))
    assert (verdict.kind, verdict.resolved, verdict.rate) == ("ordinary", False, None)


def test_names_that_have_changed_places(true):
    mapping = np.roll(np.arange(10), 3)
    verdict = judge_labels(opinion(mapping[true], scores(true)))
    assert verdict.kind == "permuted" and verdict.moved == {NAMES[mapping[k]]: NAMES[k] for k in range(10)}


def test_two_of_ten_have_changed_places_and_a_fifth_of_all_is_wrong(true):
    mapping = np.arange(10)
    mapping[[2, 7]] = 7, 2
    wrong = np.random.default_rng(4).random(len(true)) < 0.2
    labels = np.where(wrong, complement(true), mapping[true])
    verdict = judge_labels(opinion(labels, scores(true)))
    assert verdict.kind == "permuted" and verdict.moved == {"c": "h", "h": "c"}


def test_classes_that_a_model_confuses_have_not_changed_places():
    """All of class 1 are taken for 0, and most of 0 for 1: that is a poor model of a case pair, seen with few images."""
    assert moved_classes(np.array([[4, 6, 0], [5, 5, 0], [0, 0, 10]])) == {}
    assert moved_classes(np.array([[0, 1], [1, 0]])) == {}
    assert moved_classes(np.array([[0, 30], [30, 0]])) == {0: 1, 1: 0}


def test_labels_of_what_an_image_is_not_by_a_model_of_what_it_is(true):
    verdict = judge_labels(opinion(complement(true), scores(true)))
    assert (verdict.kind, verdict.decode) == ("complementary", "argmax")
    assert verdict.information.beyond_chance == pytest.approx(np.log2(10 / 9), abs=0.02)


@pytest.mark.parametrize("classes", [3, 10])
def test_labels_of_what_an_image_is_not_by_a_model_that_has_learned_them(classes):
    """It spreads its belief over all but the true class, so that its highest one says next to nothing."""
    generator = np.random.default_rng(5)
    true = generator.integers(0, classes, 4000)
    score = generator.dirichlet(np.full(classes, 50.0), len(true))
    score[np.arange(len(true)), np.where(generator.random(len(true)) < 0.8, true, 0)] *= 0.1
    verdict = judge_labels(opinion(complement(true, classes), score, 0.9, learned=True))
    assert (verdict.kind, verdict.decode) == ("complementary", "argmin")


def test_much_noise_is_not_taken_for_complementary_labels():
    """At 80 % the label is right twice as often as by chance, and seldom the least likely class."""
    generator = np.random.default_rng(6)
    true = generator.integers(0, 10, 20_000)
    labels = np.where(generator.random(len(true)) < 0.8, complement(true), true)
    score = generator.dirichlet(np.full(10, 50.0), len(true))
    score[np.arange(len(true)), true] += 0.1
    assert judge_labels(opinion(labels, score, 0.3, learned=True)).kind == "noisy"


def test_labels_drawn_by_chance_are_random(true):
    labels = np.random.default_rng(7).permutation(true)
    for learned in (False, True):
        assert judge_labels(opinion(labels, scores(true), learned=learned)).kind == "random"


def test_two_classes_changed_for_each_other_are_permuted_and_no_kind_of_complement():
    true = np.random.default_rng(0).integers(0, 2, 500)
    assert judge_labels(opinion(1 - true, scores(true, classes=2))).kind == "permuted"


def test_no_images_and_one_class_give_no_wrong_verdict():
    assert judge_labels(opinion(np.zeros(0, int), np.zeros((0, 10), np.float32))) is None
    assert judge_labels(opinion(np.zeros(50, int), scores(np.zeros(50, int)))).kind == "random"


def test_models_that_always_say_the_same_know_nothing():
    assert kappa_error(np.zeros(9, int), np.zeros(9, int), 2) == 1
    assert kappa_error(np.arange(9) % 2, np.arange(9) % 2, 2) == 0
