"""The predictions for a split whose images have several labels: each label is there from its threshold on."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from kerasexp.data.label_sets import label_text
from kerasexp.evaluation.metric_limits import RESAMPLES, resamples_of, sampled_note
from kerasexp.evaluation.multi_label_intervals import multi_label_intervals
from kerasexp.evaluation.predictions import ClassScores, Predictions

# Probabilities are rounded in float32: none counts for more than this much certainty.
LEAST = 1e-7


@dataclass(frozen=True)
class MultiLabelPredictions(Predictions):
    """As `Predictions`, with several labels an image.

    Attributes:
        y_true: uint8 [n, classes] of 0 and 1.
        y_score: float32 [n, classes], the probability of each label.
        thresholds: float64 [classes]; an image has the labels whose probability reaches their threshold. Empty: 0.5 for all.
    """

    thresholds: np.ndarray = field(default_factory=lambda: np.zeros(0))

    @cached_property
    def y_pred(self) -> np.ndarray:
        """bool [n, classes]: the predicted labels."""
        return self.y_score >= (self.thresholds if len(self.thresholds) else 0.5)

    @cached_property
    def correct(self) -> np.ndarray:
        """bool [n]: whether all labels of an image are right, present and absent."""
        return (self.y_pred == self.y_true).all(axis=1)

    @cached_property
    def wrong_labels(self) -> np.ndarray:
        """int64 [n]: the number of wrong labels of each image."""
        return (self.y_pred != self.y_true).sum(axis=1)

    @cached_property
    def confidence(self) -> np.ndarray:
        """float32 [n]: the probability of the predicted labels together, as if labels were independent."""
        return label_set_confidence(self.y_pred, self.y_score)

    @cached_property
    def class_scores(self) -> ClassScores:
        """Precision, recall, F1 and number of images of each label; 0 where undefined."""
        from sklearn.metrics import precision_recall_fscore_support

        return ClassScores(*precision_recall_fscore_support(self.y_true, self.y_pred, zero_division=0))

    @cached_property
    def intervals(self) -> dict[str, np.ndarray]:
        """95 % bootstrap intervals; see `multi_label_intervals`."""
        return multi_label_intervals(self.y_true, self.y_score, self.y_pred)

    @property
    def calibrated(self) -> None:
        return None

    def texts(self, labels: np.ndarray) -> list[str]:
        """Return rows of labels, [n, classes], as texts such as `cat;dog`."""
        return [label_text(row, self.class_names) for row in labels]

    def notes(self, split: str) -> list[str]:
        drawn, found = resamples_of(self.y_true.size), []
        if self.bounded is not self:
            found.append(sampled_note(f"{split}: AUC and average precision", len(self.bounded), len(self)))
        if drawn != RESAMPLES:
            found.append(f"{split}: intervals: from {drawn} resamples, not {RESAMPLES:,}.")
        return found


def label_set_confidence(y_pred: np.ndarray, y_score: np.ndarray) -> np.ndarray:
    """Return the probability of predicted labels, bool [n, classes], together, as if they were independent: float32 [n]."""
    certain = np.where(y_pred, y_score, 1 - y_score)
    return np.exp(np.log(np.clip(certain, LEAST, 1)).sum(axis=1)).astype(np.float32)
