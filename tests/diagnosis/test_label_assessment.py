"""Assessment of labels with a run's model and with a checkpoint."""

from copy import deepcopy

import numpy as np
import pytest
from keras_networks import MobileNetV2

from kerasexp.config import Experiment, experiment_from
from kerasexp.config.data_section import Data
from kerasexp.config.training_section import Training
from kerasexp.config.yaml_merging import merge
from kerasexp.data.data_requirements import misfits
from kerasexp.data.prepared_data import Split, prepare
from kerasexp.diagnosis.advice import Advice, advise
from kerasexp.diagnosis.diagnosis_sentences import headline
from kerasexp.diagnosis.label_assessment import assess_scores, assess_with_run, why_not_cross_validated
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


def test_very_few_images_tell_nothing_of_their_labels():
    few = predicted(TRUE[:3], sure_of(TRUE[:3], 0.95))
    (found,) = assess_with_run(few, few, trained_on_labels=True)
    assert found.verdict.kind == "unclear" and headline(found).startswith("the images are too few, or too many of them")


def test_what_can_be_cross_validated():
    assert why_not_cross_validated(split(TRUE[:30]), CLASSES) is None
    for labels in (TRUE[:29], np.zeros(50, int), np.arange(62)):
        why_not = why_not_cross_validated(split(labels), 62)
        assert why_not.startswith(f"train has {len(labels)} images of {len(np.unique(labels))} classes, and ")
        assert why_not.endswith("needs 30 images, of two classes or more, and 3 of each class on average")


def test_of_very_many_classes_too_few_images_can_be_assessed():
    labels = np.arange(50).repeat(4)
    assert why_not_cross_validated(split(labels), 50) is None
    assert "and cross-validation, which takes 83 of them, needs" in why_not_cross_validated(split(labels), 200_000)


def given_advice(
    labels: np.ndarray, training: Training | None, of_train: np.ndarray | None = None, model=None, of_test=TRUE
) -> list[Advice]:
    score = sure_of(TRUE, 0.95)
    assessments = assess_with_run(predicted(labels, score), predicted(of_test, score), trained_on_labels=False)
    splits = {"train": split(labels if of_train is None else of_train), "test": split(of_test, 1)}
    diagnosis = Diagnosis(dataset_overview(splits, NAMES, 0), assessments)
    return advise(diagnosis, Data(), {name: name for name in NAMES}, training, model)


def advised(*given, **keys) -> list[dict]:
    return [item.change for item in given_advice(*given, **keys)]


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


@pytest.mark.parametrize("of_test", [TRUE, COMPLEMENT], ids=["true", "complementary"])
def test_true_labels_are_asked_for_where_those_of_test_exclude_a_class_too(of_test):
    reasons = [item.reason for item in given_advice(COMPLEMENT, Training(loss="scl_nl"), of_test=of_test)]
    asked = "Evaluation needs true labels: name a source that has them in data.test."
    assert (asked in reasons) == (of_test is COMPLEMENT)


def advised_for(raw: dict) -> tuple[Experiment, list[Advice]]:
    """Return an experiment, and the advice for its data without a look at their labels."""
    experiment = experiment_from(deepcopy(raw))
    data = prepare(experiment.data)
    diagnosis = Diagnosis(dataset_overview(data.splits, data.class_names, 0, trains=False), [])
    return experiment, advise(diagnosis, experiment.data, data.folders, experiment.training, experiment.model)


ABSENT = "Classes without training images cannot be learned: add images, or leave the classes out."


@pytest.fixture
def without_a_class():
    """Arrays of five classes in `one.npz` and `several.npz`: class 4 has no image in train, but in the test split of `one.npz`."""
    images, labels = np.random.default_rng(0).integers(0, 256, (120, 28, 28)).astype(np.uint8), np.arange(100) % 4
    np.savez("one.npz", x_train=images[:100], y_train=labels, x_test=images[100:], y_test=np.arange(20) % 5)
    np.savez("several.npz", x=images[:100], y=np.eye(5, dtype=np.uint8)[labels])


@pytest.mark.parametrize(
    ("data", "change"),
    [
        ({"path": "one.npz"}, {"labels": {"select": ["0", "1", "2", "3"]}}),
        ({"path": "one.npz", "labels": {"keep": {"0": 0}}}, {"labels": {"select": ["0", "1", "2", "3"]}}),
        ({"path": "several.npz", "multi_label": True}, {"class_names": {str(k): str(k) for k in range(4)}}),
    ],
    ids=["one label", "a class removed on purpose", "several labels"],
)
def test_an_experiment_takes_the_advice_to_leave_a_class_out(without_a_class, data, change):
    raw = {"name": "x", "data": {"source": "npz", **data}, "training": {"batch_size": 8}}
    experiment, advice = advised_for(raw)
    assert "train has no image of 4" in str(*misfits(experiment, prepare(experiment.data)))
    assert [item.change for item in advice if item.reason == ABSENT] == [{"data": change}]
    mended = experiment_from(merge(deepcopy(raw), {"data": change}, None, {}))
    assert misfits(mended, prepare(mended.data)) == []


def test_what_keep_names_is_not_left_out_of_the_classes(without_a_class):
    """`keep` may name only classes of the data: a class that it removes is absent on purpose, one of too few images is not."""
    data = {"source": "npz", "path": "one.npz", "labels": {"select": ["0", "1", "2", "3"], "keep": {"0": 0}}}
    assert ABSENT not in [item.reason for item in advised_for({"name": "x", "data": data})[1]]
    data["labels"]["keep"] = {"0": 0.001}
    assert [item.change for item in advised_for({"name": "x", "data": data})[1] if item.reason == ABSENT] == [{}]
