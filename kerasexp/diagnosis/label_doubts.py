"""Labels that are likely wrong where images have several: confident learning of each class against the rest."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from kerasexp.evaluation.multi_label_predictions import MultiLabelPredictions


class LabelDoubt(NamedTuple):
    """A label that is likely wrong.

    Attributes:
        position: of the image in the split.
        label: the class.
        is_given: whether the image has the label; it is likely absent then, and otherwise likely missing.
        probability: of the label, by a model that was not trained on the image.
    """

    position: int
    label: int
    is_given: bool
    probability: float


def label_doubts(predictions: MultiLabelPredictions) -> list[LabelDoubt]:
    """Return the labels that are likely wrong, the likeliest first.

    A label is missing where its probability reaches the mean of the images that have it, and wrongly given where it falls to
    the mean of those that lack it (the thresholds of Northcutt et al., JAIR 2021); on either side of 0.5.
    """
    found: list[LabelDoubt] = []
    for label in range(len(predictions.class_names)):
        given, score = predictions.y_true[:, label] > 0, predictions.y_score[:, label].astype(np.float64)
        if given.all() or not given.any():
            continue
        missing = ~given & (score >= max(score[given].mean(), 0.5))
        wrong = given & (score <= min(score[~given].mean(), 0.5))
        found += [LabelDoubt(int(i), label, bool(given[i]), float(score[i])) for i in np.flatnonzero(missing | wrong)]
    return sorted(found, key=lambda doubt: -abs(doubt.probability - doubt.is_given))
