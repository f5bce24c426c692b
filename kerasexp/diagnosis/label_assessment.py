"""Assessment of a split's labels with cross-validated models, with a checkpoint, or with the model of a run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from kerasexp.data.prepared_data import Split
from kerasexp.data.stratified_sampling import stratified_sample
from kerasexp.diagnosis.label_verdict import HeldOutPredictions, Verdict, assess_labels, disagreement
from kerasexp.diagnosis.results import LabelAssessment
from kerasexp.evaluation.intervals import wilson_interval
from kerasexp.evaluation.metric_limits import most_images, sampled_positions
from kerasexp.evaluation.predictions import Predictions

if TYPE_CHECKING:
    from kerasexp.diagnosis.label_cross_validation import CrossValidated

# Fewest images of train for cross-validation, and most images of test to assess.
MIN_TRAIN, MAX_TEST = 30, 10_000
MODELS, RUN = "the cross-validated models", "this run's model"


def why_not_cross_validated(train: Split, classes: int) -> str | None:
    """Return why the labels of train, of so many classes, cannot be cross-validated; None if they can be.

    A model can predict a class only if it is in the third of the images that the model is trained on.
    """
    from kerasexp.diagnosis.label_cross_validation import FOLDS, most_assessed

    present, assessed = len(np.unique(train.labels)), min(len(train), most_assessed(classes))
    if present > 1 and assessed >= max(MIN_TRAIN, FOLDS * present):
        return None
    taken = f", which takes {assessed:,} of them," if assessed < len(train) else ""
    needed = f"needs {MIN_TRAIN} images, of two classes or more, and {FOLDS} of each class on average"
    return f"train has {len(train):,} images of {present:,} classes, and cross-validation{taken} {needed}"


def cross_validated_assessment(
    splits: Mapping[str, Split], class_names: list[str], seed: int, progress: Callable[[int, int], None]
) -> tuple[list[LabelAssessment], CrossValidated]:
    """Assess train with models that were not trained on the assessed images, and test with all of these models."""
    from kerasexp.diagnosis.label_cross_validation import cross_validate

    train, test = splits["train"], splits.get("test")
    most = min(MAX_TEST, most_images(len(class_names)))
    sampled = np.zeros(0, np.int64) if test is None else stratified_sample(test.labels, most, seed)
    others = {"test": test.take(sampled).images} if len(sampled) else {}
    found = cross_validate(train, others, len(class_names), seed, progress)
    error = found.model_error
    predictions = HeldOutPredictions(train.labels[found.positions], found.y_score, class_names, error, True)
    result = _assessments("train", MODELS, found.positions, predictions, knows_class_names=False)
    true_scores = true_class_scores(found.others["test"], result[0].verdict) if len(sampled) and result else None
    if true_scores is not None:
        predictions = HeldOutPredictions(test.labels[sampled], true_scores, class_names, error, False)
        result += _assessments("test", MODELS, sampled, predictions, knows_class_names=False)
    return result, found


def assess_scores(
    scores: Mapping[str, tuple[np.ndarray, np.ndarray]],
    labels: Mapping[str, np.ndarray],
    class_names: list[str],
    assessor: str,
) -> list[LabelAssessment]:
    """Assess splits with a checkpoint's probabilities.

    Args:
        scores: by split, positions int64 [n] and probabilities float [n, classes] of these images.
        labels: by split, int64 [all of the split].
        class_names: in the order of the classes.
        assessor: name of the checkpoint in texts.
    """
    expected = {name: expected_error(score, labels[name][at]) for name, (at, score) in scores.items()}
    predictions = {
        name: HeldOutPredictions(labels[name][at], score, class_names, expected[name], trained_on_labels=False)
        for name, (at, score) in scores.items()
    }
    errors = {
        name: disagreement(p.labels, p.y_score.argmax(axis=1), len(class_names)) for name, p in predictions.items()
    }
    result = []
    for name, held_out in predictions.items():
        # The model is about as accurate on the other splits, and often more accurate than its confidence says.
        error = min([expected[name], *(error for other, error in errors.items() if other != name)])
        held_out = replace(held_out, model_error=error)
        result += _assessments(name, assessor, scores[name][0], held_out, knows_class_names=True)
    return result


def assess_with_run(val: Predictions, test: Predictions, trained_on_labels: bool) -> list[LabelAssessment]:
    """Assess val and test, samples of them where they are large, with a run's own model, which was trained on neither.

    The model's own error is estimated on the other split: a model trained on wrong labels is unsure of all images, but
    correct on a test split without wrong labels. With complementary labels, a wrong prediction equals the excluded class in
    one of K - 1 cases, which gives the error as well.

    Args:
        val, test: its predictions.
        trained_on_labels: whether it was trained on labels like val's as they stand, and not as what an image is NOT.
    """
    names = val.class_names
    val_at, test_at = (sampled_positions(len(each), most_images(len(names))) for each in (val, test))
    val, test = val.bounded, test.bounded
    predictions = HeldOutPredictions(val.y_true, val.y_score, names, _error(test), trained_on_labels)
    result = _assessments("val", RUN, val_at, predictions, knows_class_names=False)
    true_scores = test.y_score
    if result and trained_on_labels:
        true_scores = true_class_scores(test.y_score, result[0].verdict)
    if true_scores is None:
        return result
    error = _error(val)
    if result and result[0].verdict.kind == "complementary":
        # The upper end of the interval, so that the model is not taken for better than it is.
        error = (len(names) - 1) * wilson_interval(result[0].verdict.agreement, len(val))[1]
    predictions = HeldOutPredictions(test.y_true, true_scores, names, min(error, 1.0), trained_on_labels=False)
    return result + _assessments("test", RUN, test_at, predictions, knows_class_names=False)


def _assessments(
    split: str, assessor: str, positions: np.ndarray, predictions: HeldOutPredictions, knows_class_names: bool
) -> list[LabelAssessment]:
    """Return the assessment as a list, which is empty without images."""
    verdict = assess_labels(predictions)
    if verdict is None:
        return []
    return [LabelAssessment(split, assessor, knows_class_names, positions, predictions, verdict)]


def true_class_scores(y_score: np.ndarray, verdict: Verdict) -> np.ndarray | None:
    """Return probabilities of the true classes by a model trained on labels of this kind; None for random or unclear labels.

    A model trained on complementary labels gives the true class the lowest probability.
    """
    if verdict.kind in ("random", "unclear"):
        return None
    if verdict.decode == "argmax":
        return y_score
    return (1 - y_score) / np.maximum((1 - y_score).sum(axis=1, keepdims=True), 1e-12)


def expected_error(y_score: np.ndarray, labels: np.ndarray) -> float:
    """Return the error that a model's own confidence implies, relative to that of chance."""
    classes = y_score.shape[1]
    predicted = y_score.argmax(axis=1)
    shares = np.bincount(predicted, minlength=classes) / max(len(predicted), 1)
    label_shares = np.bincount(labels, minlength=classes) / max(len(labels), 1)
    chance = float((shares * label_shares).sum())
    error = float(1 - y_score.max(axis=1).mean()) if len(y_score) else 1.0
    return 1.0 if chance >= 1 else min(error / (1 - chance), 1.0)


def _error(predictions: Predictions) -> float:
    return disagreement(predictions.y_true, predictions.y_pred, len(predictions.class_names))
