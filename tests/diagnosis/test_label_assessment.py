"""Assessment of labels with a run's model and with a checkpoint."""

import numpy as np
import pytest
from keras_networks import MobileNetV2

from kerasexp.config.data_section import Data
from kerasexp.config.training_section import Training
from kerasexp.data.prepared_data import Split
from kerasexp.diagnosis.advice import advise
from kerasexp.diagnosis.label_assessment import assess_scores, assess_with_run, can_cross_validate
from kerasexp.diagnosis.results import Diagnosis, dataset_overview
from kerasexp.evaluation.predictions import Predictions

NAMES = list("abcdef")
CLASSES = len(NAMES)
TRUE = np.random.default_rng(0).integers(0, CLASSES, 2000)
COMPLEMENT = (TRUE + np.random.default_rng(1).integers(1, CLASSES, 2000)) % CLASSES
NOISY = np.where(np.random.default_rng(2).random(2000) < 0.2, COMPLEMENT, TRUE)


def predicted(labels: np.ndarray, score: np.ndarray) -> Predictions:
    return Predictions([str(i) for i in range(len(labels))], labels, score.astype(np.float32), NAMES)


def sure_of(answers: np.ndarray, probability: float, seed: int = 0, right: float = 0.985) -> np.ndarray:
    """Return the probabilities of a model with this confidence and this accuracy."""
    generator = np.random.default_rng(seed)
    answers = np.where(generator.random(len(answers)) < right, answers, generator.integers(0, CLASSES, len(answers)))
    score = generator.dirichlet(np.full(CLASSES, 5.0), len(answers)) * (1 - probability)
    score[np.arange(len(answers)), answers] += probability
    return score


def unsure_but_of(avoided: np.ndarray) -> np.ndarray:
    """Return the probabilities that cross-entropy learns from complementary labels: all classes alike, but the true one."""
    score = np.random.default_rng(3).dirichlet(np.full(CLASSES, 80.0), len(avoided))
    score[np.arange(len(avoided)), avoided] *= 0.05
    return score / score.sum(axis=1, keepdims=True)


def kinds(assessments) -> list[tuple[str, str]]:
    return [(labels.split, labels.verdict.kind) for labels in assessments]


def test_a_run_on_noisy_labels_is_unsure_of_all_images_and_correct_on_test():
    found = assess_with_run(
        predicted(NOISY, sure_of(TRUE, 0.75)), predicted(TRUE, sure_of(TRUE, 0.75, 1)), trained_on_labels=True
    )
    assert kinds(found) == [("val", "noisy"), ("test", "ordinary")]
    assert found[0].verdict.rate == pytest.approx(0.2, abs=0.03)


def test_where_test_is_no_better_than_val_errors_cannot_be_resolved():
    found = assess_with_run(
        predicted(NOISY, sure_of(TRUE, 0.75)), predicted(NOISY, sure_of(TRUE, 0.75, 1)), trained_on_labels=True
    )
    assert kinds(found) == [("val", "ordinary"), ("test", "ordinary")]
    assert not found[0].verdict.resolved and found[0].verdict.rate is None


@pytest.mark.parametrize("trained", [True, False])
def test_complementary_labels_are_found_however_the_run_was_trained(trained):
    """Trained with cross-entropy on the labels as they stand, or with a loss for complementary labels."""
    score = unsure_but_of(TRUE) if trained else sure_of(TRUE, 0.95)
    found = assess_with_run(predicted(COMPLEMENT, score), predicted(TRUE, score), trained)
    assert kinds(found) == [("val", "complementary"), ("test", "ordinary")]
    assert found[0].verdict.decode == ("argmin" if trained else "argmax")


def test_the_error_of_a_checkpoint_is_that_on_the_other_split():
    every = np.arange(2000)
    scores = {"train": (every, sure_of(TRUE, 0.6)), "test": (every, sure_of(TRUE, 0.6, 1))}
    found = assess_scores(scores, {"train": NOISY, "test": TRUE}, NAMES, "the reference x")
    assert kinds(found) == [("train", "noisy"), ("test", "ordinary")]


def test_an_overconfident_run_does_not_blame_the_labels_of_test():
    score = sure_of(TRUE, 0.99, right=0.94)
    found = assess_with_run(predicted(COMPLEMENT, score), predicted(TRUE, score), trained_on_labels=False)
    assert kinds(found) == [("val", "complementary"), ("test", "ordinary")] and not found[1].verdict.resolved


def split(labels: np.ndarray, seed: int = 0) -> Split:
    images = np.random.default_rng(seed).integers(0, 256, (len(labels), 6, 6, 1)).astype(np.uint8)
    return Split(images, labels, [str(i) for i in range(len(labels))])


def test_what_can_be_cross_validated():
    assert can_cross_validate(split(TRUE[:30]))
    assert not can_cross_validate(split(TRUE[:29])) and not can_cross_validate(split(np.zeros(50, int)))


def advised(
    labels: np.ndarray, training: Training | None, of_train: np.ndarray | None = None, model=None
) -> list[dict]:
    score = sure_of(TRUE, 0.95)
    assessments = assess_with_run(predicted(labels, score), predicted(TRUE, score), trained_on_labels=False)
    of_train = labels if of_train is None else of_train
    diagnosis = Diagnosis(dataset_overview({"train": split(of_train), "test": split(TRUE, 1)}, NAMES, 0), assessments)
    return [item.change for item in advise(diagnosis, Data(), {name: name for name in NAMES}, training, model)]


def test_what_a_training_does_already_is_not_advised():
    assert {"training": {"loss": "scl_nl"}} in advised(COMPLEMENT, None)
    assert {"training": {"loss": "scl_nl"}} in advised(COMPLEMENT, Training())
    assert advised(COMPLEMENT, Training(loss="scl_nl")) == []
    rare = TRUE[(TRUE != 3) | (np.arange(2000) < 80)]
    assert {"training": {"loss": "logit_adjusted"}} in advised(TRUE, Training(), rare)
    assert {"training": {"loss": "logit_adjusted"}} not in advised(TRUE, Training(loss="ldam"), rare)


def test_a_head_that_takes_no_loss_is_not_advised_one():
    rare = TRUE[(TRUE != 3) | (np.arange(2000) < 80)]
    head = MobileNetV2(head={"knn": {"k": [3]}})
    for labels, of_train in ((COMPLEMENT, None), (TRUE, rare)):
        assert not any("training" in change for change in advised(labels, Training(), of_train, head))
