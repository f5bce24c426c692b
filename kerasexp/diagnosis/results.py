"""A data set looked at from all sides: its splits, its images, and its labels as models see them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from kerasexp.data.prepared_data import Split
from kerasexp.diagnosis.image_checks import (
    Duplicates,
    OddImages,
    Stored,
    find_duplicates,
    find_odd,
)
from kerasexp.diagnosis.information import label_table
from kerasexp.diagnosis.label_verdict import Opinion, Verdict, judge_labels, relative_error
from kerasexp.diagnosis.split_checks import (
    ClassCounts,
    Shift,
    TwoSample,
    compare_shares,
    count_classes,
    tell_apart,
)

# With fewer images no three models can be trained, and no table says anything.
FEWEST = 30


@dataclass(frozen=True)
class Look:
    """What the splits hold, whatever a model says of it.

    Attributes:
        splits: the images as the model sees them.
        class_names: in the order of the labels.
        classes: by split.
        shift: of the classes' shares from train to test; None where one of them is empty or absent.
        apart: how well the images of train and test are told apart, or None.
        duplicates, odd: of all splits together.
    """

    splits: Mapping[str, Split]
    class_names: list[str]
    classes: dict[str, ClassCounts]
    shift: Shift | None
    apart: TwoSample | None
    duplicates: Duplicates
    odd: OddImages


@dataclass(frozen=True)
class JudgedLabels:
    """The labels of one split, as a model sees them.

    Attributes:
        split: its name.
        judge: who says so, for people.
        knows_names: whether the judge knows what the class names mean; False for models that learned it from train's labels.
        positions: int64 [n], of the judged images in the split.
        opinion: what is said of them, in this order.
        verdict: what follows from it.
    """

    split: str
    judge: str
    knows_names: bool
    positions: np.ndarray
    opinion: Opinion
    verdict: Verdict


@dataclass(frozen=True)
class Diagnosis:
    """Everything that was found.

    Attributes:
        look: at the splits.
        labels: as they were judged, those that are learned from first.
        stored: the files before preprocessing, where they were looked at.
        notes: what could not be told, and why.
    """

    look: Look
    labels: list[JudgedLabels]
    stored: Stored | None = None
    notes: list[str] = field(default_factory=list)

    @property
    def foremost(self) -> JudgedLabels | None:
        """The verdict on the labels that are learned from: that of a judge who finds them permuted before all others."""
        learned_from = [judged for judged in self.labels if judged.split != "test"]
        permuted = [judged for judged in learned_from if judged.verdict.kind == "permuted"]
        return next(iter(permuted + learned_from), None)


def look_at(splits: Mapping[str, Split], class_names: list[str], seed: int) -> Look:
    """Look at the splits; nothing is trained but a forest that compares train with test."""
    classes = {name: count_classes(split, len(class_names)) for name, split in splits.items()}
    both = "train" in splits and "test" in splits
    return Look(
        splits,
        class_names,
        classes,
        compare_shares(classes["train"].counts, classes["test"].counts) if both else None,
        tell_apart(splits["train"], splits["test"], seed) if both else None,
        find_duplicates(splits),
        find_odd(splits),
    )


def judged(
    split: str,
    judge: str,
    positions: np.ndarray,
    opinion: Opinion,
    knows_names: bool,
) -> list[JudgedLabels]:
    """Return the judged labels as a list, which is empty where there is no image."""
    verdict = judge_labels(opinion)
    return [] if verdict is None else [JudgedLabels(split, judge, knows_names, positions, opinion, verdict)]


def meant_scores(y_score: np.ndarray, verdict: Verdict) -> np.ndarray | None:
    """Return probabilities of the classes that a model of these labels means; None where it has learned nothing of use.

    A model of complementary labels gives a class the less, the more it thinks that it is the one.
    """
    if verdict.kind in ("random", "unclear"):
        return None
    if verdict.decode == "argmax":
        return y_score
    return (1 - y_score) / np.maximum((1 - y_score).sum(axis=1, keepdims=True), 1e-12)


def confidence_error(y_score: np.ndarray, labels: np.ndarray) -> float:
    """Return how often a model thinks that it is wrong, as a share of how often chance is."""
    classes = y_score.shape[1]
    answers = y_score.argmax(axis=1)
    shares = np.bincount(answers, minlength=classes) / max(len(answers), 1)
    given = np.bincount(labels, minlength=classes) / max(len(labels), 1)
    chance = float((shares * given).sum())
    thought = float(1 - y_score.max(axis=1).mean()) if len(y_score) else 1.0
    return 1.0 if chance >= 1 else min(thought / (1 - chance), 1.0)


def table_error(opinion: Opinion) -> float:
    """Return how often labels and answers differ, as a share of how often they would by chance."""
    answers = opinion.y_score.argmax(axis=1)
    return relative_error(label_table(opinion.labels, answers, len(opinion.class_names)))
