"""The kinds of labels, on predictions that are drawn without a model."""

import numpy as np
import pytest

from kerasexp.diagnosis.label_verdict import HeldOutPredictions, assess_labels, disagreement, permuted_classes

NAMES = list("abcdefghij")


def scores(true: np.ndarray, right: float = 0.97, classes: int = 10, seed: int = 1) -> np.ndarray:
    """Return the probabilities of a model with this accuracy and this confidence."""
    generator = np.random.default_rng(seed)
    answers = np.where(generator.random(len(true)) < right, true, generator.integers(0, classes, len(true)))
    score = generator.dirichlet(np.ones(classes), len(true)) * (1 - right)
    score[np.arange(len(true)), answers] += right
    return score.astype(np.float32)


def held_out(labels, score, model_error=0.03, trained=False) -> HeldOutPredictions:
    return HeldOutPredictions(labels, score, NAMES[: score.shape[1]], model_error, trained)


@pytest.fixture
def true() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 10, 4000)


def complement(true: np.ndarray, classes: int = 10) -> np.ndarray:
    return (true + np.random.default_rng(2).integers(1, classes, len(true))) % classes


@pytest.mark.parametrize("trained", [False, True])
def test_right_labels_are_ordinary(true, trained):
    verdict = assess_labels(held_out(true, scores(true, 0.99), 0.02, trained))
    assert (verdict.kind, verdict.decode, verdict.resolved) == ("ordinary", "argmax", True)
    assert verdict.rate < 0.02


@pytest.mark.parametrize("rate", [0.05, 0.2, 0.4])
def test_noise_is_noise_with_its_rate(true, rate):
    generator = np.random.default_rng(3)
    labels = np.where(generator.random(len(true)) < rate, complement(true), true)
    verdict = assess_labels(held_out(labels, scores(true, 0.995), 0.01))
    assert verdict.kind == "noisy" and verdict.rate == pytest.approx(rate, abs=0.02)
    assert verdict.low - 0.01 <= rate <= verdict.high + 0.01


def test_disagreement_with_a_poor_model_is_not_noise(true):
    """Its accuracy is 60 %, and two such models disagree as often as either does with the labels."""
    score = scores(true, 0.6)
    own = disagreement(score.argmax(axis=1), scores(true, 0.6, seed=9).argmax(axis=1), 10)
    verdict = assess_labels(held_out(true, score, own))
    assert (verdict.kind, verdict.resolved, verdict.rate) == ("ordinary", False, None)


def test_names_that_have_changed_places(true):
    mapping = np.roll(np.arange(10), 3)
    verdict = assess_labels(held_out(mapping[true], scores(true)))
    assert verdict.kind == "permuted" and verdict.permutation == {NAMES[mapping[k]]: NAMES[k] for k in range(10)}


def test_two_of_ten_have_changed_places_and_a_fifth_of_all_is_wrong(true):
    mapping = np.arange(10)
    mapping[[2, 7]] = 7, 2
    wrong = np.random.default_rng(4).random(len(true)) < 0.2
    labels = np.where(wrong, complement(true), mapping[true])
    verdict = assess_labels(held_out(labels, scores(true)))
    assert verdict.kind == "permuted" and verdict.permutation == {"c": "h", "h": "c"}


def test_classes_that_a_model_confuses_have_not_changed_places():
    """Half of class 1 is predicted as 0 and more of 0 as 1: a poor model on few images, not a permutation."""
    assert permuted_classes(np.array([[4, 6, 0], [5, 5, 0], [0, 0, 10]])) == {}
    assert permuted_classes(np.array([[0, 1], [1, 0]])) == {}
    assert permuted_classes(np.array([[0, 30], [30, 0]])) == {0: 1, 1: 0}


def test_labels_of_what_an_image_is_not_by_a_model_of_what_it_is(true):
    verdict = assess_labels(held_out(complement(true), scores(true)))
    assert (verdict.kind, verdict.decode) == ("complementary", "argmax")
    assert verdict.information.beyond_chance == pytest.approx(np.log2(10 / 9), abs=0.02)


@pytest.mark.parametrize("classes", [3, 10])
def test_labels_of_what_an_image_is_not_by_a_model_trained_on_them(classes):
    """It spreads probability over all classes but the true one, so that its most likely class means next to nothing."""
    generator = np.random.default_rng(5)
    true = generator.integers(0, classes, 4000)
    score = generator.dirichlet(np.full(classes, 50.0), len(true))
    score[np.arange(len(true)), np.where(generator.random(len(true)) < 0.8, true, 0)] *= 0.1
    verdict = assess_labels(held_out(complement(true, classes), score, 0.9, trained=True))
    assert (verdict.kind, verdict.decode) == ("complementary", "argmin")


def test_much_noise_is_not_taken_for_complementary_labels():
    """At 80 % the label is correct twice as often as by chance, and seldom the least likely class."""
    generator = np.random.default_rng(6)
    true = generator.integers(0, 10, 20_000)
    labels = np.where(generator.random(len(true)) < 0.8, complement(true), true)
    score = generator.dirichlet(np.full(10, 50.0), len(true))
    score[np.arange(len(true)), true] += 0.1
    assert assess_labels(held_out(labels, score, 0.3, trained=True)).kind == "noisy"


def test_labels_drawn_by_chance_are_random(true):
    labels = np.random.default_rng(7).permutation(true)
    for trained in (False, True):
        assert assess_labels(held_out(labels, scores(true), trained=trained)).kind == "random"


def test_two_classes_changed_for_each_other_are_permuted_and_no_kind_of_complement():
    true = np.random.default_rng(0).integers(0, 2, 500)
    assert assess_labels(held_out(1 - true, scores(true, classes=2))).kind == "permuted"


@pytest.mark.parametrize("trained", [False, True])
def test_one_image_of_each_class_is_enough_for_labels_that_agree(trained):
    """Permuted labels that all differ have the same bits, so that these alone cannot tell them from random ones."""
    labels = np.arange(10)
    assert assess_labels(held_out(labels, scores(labels, 0.999), trained=trained)).kind == "ordinary"


def test_no_images_very_few_and_one_class_give_no_wrong_verdict():
    assert assess_labels(held_out(np.zeros(0, int), np.zeros((0, 10), np.float32))) is None
    for labels in (np.arange(3), np.array([0, 0, 1, 1]), np.zeros(50, int)):
        verdict = assess_labels(held_out(labels, scores(labels)))
        assert verdict.kind == "unclear" and not verdict.is_telling


def test_models_that_always_predict_the_same_class_have_the_error_of_chance():
    assert disagreement(np.zeros(9, int), np.zeros(9, int), 2) == 1
    assert disagreement(np.arange(9) % 2, np.arange(9) % 2, 2) == 0
