"""Who judges the labels: cross-validated models, a checkpoint, or the model of a run; and what each can tell."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from kerasexp.data.prepared_data import Split
from kerasexp.data.stratified_sampling import stratified_sample
from kerasexp.diagnosis.label_verdict import Opinion
from kerasexp.diagnosis.results import (
    FEWEST,
    JudgedLabels,
    confidence_error,
    judged,
    meant_scores,
    table_error,
)
from kerasexp.evaluation.intervals import wilson_interval
from kerasexp.evaluation.predictions import Predictions

if TYPE_CHECKING:
    from kerasexp.diagnosis.cross_validation import CrossValidated

# Of test so many images are enough for a verdict.
MOST_OF_TEST = 10_000
MODELS, RUN = "the cross-validated models", "this run's model"


def can_cross_validate(train: Split) -> bool:
    """Whether three models can be trained that say something: enough images, of two classes at least."""
    return len(train) >= FEWEST and len(np.unique(train.labels)) > 1


def by_cross_validation(
    splits: Mapping[str, Split], class_names: list[str], seed: int, progress: Callable[[int, int], None]
) -> tuple[list[JudgedLabels], CrossValidated]:
    """Judge train by models that have not seen it, and test by what they have learned from train."""
    from kerasexp.diagnosis.cross_validation import cross_validate

    train, test = splits["train"], splits.get("test")
    asked = np.zeros(0, np.int64) if test is None else stratified_sample(test.labels, MOST_OF_TEST, seed)
    others = {"test": test.images[asked]} if len(asked) else {}
    found = cross_validate(train, others, len(class_names), seed, progress)
    opinion = Opinion(train.labels[found.positions], found.y_score, class_names, found.own_error, learned=True)
    result = judged("train", MODELS, found.positions, opinion, knows_names=False)
    meant = meant_scores(found.others["test"], result[0].verdict) if len(asked) and result else None
    if meant is not None:
        opinion = Opinion(test.labels[asked], meant, class_names, found.own_error, learned=False)
        result += judged("test", MODELS, asked, opinion, knows_names=False)
    return result, found


def by_checkpoint(
    scores: Mapping[str, tuple[np.ndarray, np.ndarray]],
    labels: Mapping[str, np.ndarray],
    class_names: list[str],
    judge: str,
) -> list[JudgedLabels]:
    """Judge splits by a checkpoint's probabilities.

    Args:
        scores: by split, positions int64 [n] and probabilities float [n, classes] of these images.
        labels: by split, int64 [all of the split].
        class_names: in the order of the classes.
        judge: the checkpoint, for people.
    """
    thought = {name: confidence_error(score, labels[name][at]) for name, (at, score) in scores.items()}
    opinions = {
        name: Opinion(labels[name][at], score, class_names, thought[name], learned=False)
        for name, (at, score) in scores.items()
    }
    errors = {name: table_error(opinion) for name, opinion in opinions.items()}
    result = []
    for name, opinion in opinions.items():
        # A model is as good on one split as on another, and often better than it thinks.
        own = min([thought[name], *(error for other, error in errors.items() if other != name)])
        result += judged(name, judge, scores[name][0], replace(opinion, own_error=own), knows_names=True)
    return result


def by_run(val: Predictions, test: Predictions, learned: bool) -> list[JudgedLabels]:
    """Judge val and test by a run's own model, which has learned from neither.

    How often the model itself is wrong is taken from the other split: a model trained on wrong labels is unsure of all of
    them, but right on a test split that has none. Complementary labels tell it as well: a wrong answer is the excluded class
    in one of K - 1 cases.

    Args:
        val, test: its predictions.
        learned: whether it has learned labels of val's kind as they stand, and not as what an image is NOT.
    """
    names = val.class_names
    opinion = Opinion(val.y_true, val.y_score, names, _error(test), learned)
    result = judged("val", RUN, np.arange(len(val)), opinion, knows_names=False)
    meant = meant_scores(test.y_score, result[0].verdict) if result and learned else test.y_score
    if meant is None:
        return result
    own = _error(val)
    if result and result[0].verdict.kind == "complementary":
        # The upper end, so that chance does not make the model better than it is.
        own = (len(names) - 1) * wilson_interval(result[0].verdict.agreement, len(val))[1]
    opinion = Opinion(test.y_true, meant, names, min(own, 1.0), learned=False)
    return result + judged("test", RUN, np.arange(len(test)), opinion, knows_names=False)


def _error(predictions: Predictions) -> float:
    return table_error(Opinion(predictions.y_true, predictions.y_score, predictions.class_names, 1.0, learned=False))
