"""The results of a diagnosis: an overview of splits and images, and the assessment of their labels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from kerasexp.data.label_sets import is_multi_label
from kerasexp.data.prepared_data import Split
from kerasexp.diagnosis.image_diagnosis import (
    Duplicates,
    StoredImages,
    UnusualImages,
    find_duplicates,
    find_unusual_images,
)
from kerasexp.diagnosis.label_verdict import HeldOutPredictions, Verdict
from kerasexp.diagnosis.split_diagnosis import (
    ClassCounts,
    Shift,
    TwoSampleTest,
    compare_shares,
    count_classes,
    two_sample_test,
)

# What a diagnosis says of data with several labels an image.
NOT_ASSESSED = (
    "Images have several labels: whether labels are noisy, permuted, random or complementary is not assessed, nor whether their "
    "shares differ between the splits. Counts, duplicates and images are."
)


@dataclass(frozen=True)
class DatasetOverview:
    """Classes and images of the splits, without any model of the labels.

    Attributes:
        splits: the images after preprocessing.
        class_names: in the order of the labels.
        classes: by split.
        shift: of the class shares from train to test; None where one of them is empty or absent.
        two_sample: whether the images of train and test differ; None where one of them is absent or too small, or not compared.
        duplicates, unusual: of all splits together.
    """

    splits: Mapping[str, Split]
    class_names: list[str]
    classes: dict[str, ClassCounts]
    shift: Shift | None
    two_sample: TwoSampleTest | None
    duplicates: Duplicates
    unusual: UnusualImages


@dataclass(frozen=True)
class LabelAssessment:
    """The labels of one split, assessed with held-out predictions.

    Attributes:
        split: its name.
        assessor: name in texts of the model or models that made the predictions.
        knows_class_names: whether the model learned the class names from other data; False if from the labels of train.
        positions: int64 [n], of the assessed images in the split.
        predictions: for these images, in this order.
        verdict: the kind of labels.
    """

    split: str
    assessor: str
    knows_class_names: bool
    positions: np.ndarray
    predictions: HeldOutPredictions
    verdict: Verdict


@dataclass(frozen=True)
class Diagnosis:
    """All results.

    Attributes:
        overview: of the splits.
        labels: the assessments, those of training labels first.
        stored: the files before preprocessing, if they were decoded.
        notes: what could not be assessed, and why.
    """

    overview: DatasetOverview
    labels: list[LabelAssessment]
    stored: StoredImages | None = None
    notes: list[str] = field(default_factory=list)

    @property
    def foremost(self) -> LabelAssessment | None:
        """The assessment of the training labels; of several, the first that finds them permuted."""
        training_labels = [assessment for assessment in self.labels if assessment.split != "test"]
        permuted = [assessment for assessment in training_labels if assessment.verdict.kind == "permuted"]
        return next(iter(permuted + training_labels), None)


def dataset_overview(
    splits: Mapping[str, Split], class_names: list[str], seed: int, trains: bool = True
) -> DatasetOverview:
    """Check the splits. The only model trained, and only if `trains`, is a random forest that compares train with test."""
    classes = {name: count_classes(split, len(class_names)) for name, split in splits.items()}
    both = "train" in splits and "test" in splits
    # The counts of labels that share images are no draws that a chi-square test could compare.
    shares = both and not is_multi_label(splits["train"].labels)
    return DatasetOverview(
        splits,
        class_names,
        classes,
        compare_shares(classes["train"].counts, classes["test"].counts) if shares else None,
        two_sample_test(splits["train"], splits["test"], seed) if both and trains else None,
        find_duplicates(splits),
        find_unusual_images(splits),
    )


def label_errors(assessment: LabelAssessment, overview: DatasetOverview) -> list[dict[str, Any]]:
    """Return a row per likely label error, the likeliest first: file, label, more likely class, and both probabilities."""
    errors, predictions = assessment.verdict.errors, assessment.predictions
    if errors is None:
        return []
    return [
        {
            "file": overview.splits[assessment.split].names[assessment.positions[i]],
            "label": predictions.class_names[predictions.labels[i]],
            "suggested": predictions.class_names[other],
            "label_probability": float(predictions.y_score[i, predictions.labels[i]]),
            "suggested_probability": float(predictions.y_score[i, other]),
        }
        for i, other in zip(errors.positions, errors.suggested, strict=True)
    ]
