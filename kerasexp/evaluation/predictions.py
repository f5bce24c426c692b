"""The predictions for every image of a split, from one pass; all metrics and plots are computed from them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from kerasexp.data.label_sets import is_multi_label
from kerasexp.errors import RunError
from kerasexp.evaluation.intervals import macro_intervals
from kerasexp.evaluation.metric_limits import RESAMPLES, most_images, resamples_of, sampled_note, sampled_positions
from kerasexp.evaluation.roc import OneVsRestCurves, one_vs_rest_curves
from kerasexp.saving.image_memory import most_at_once
from kerasexp.storage import scratch_array

if TYPE_CHECKING:
    import keras

    from kerasexp.data.prepared_data import Split
    from kerasexp.saving.checkpoint import Checkpoint

# Probabilities may leave 0..1 by so much: rounding in half precision.
TOLERANCE = 1e-2
NONE = np.zeros(0, np.int64)


class ClassScores(NamedTuple):
    """Scores of each class, [classes] each: float64, and int64 for the number of images."""

    precision: np.ndarray
    recall: np.ndarray
    f1: np.ndarray
    support: np.ndarray


@dataclass(frozen=True)
class Predictions:
    """The predictions for one split, and what several metrics share, computed once.

    Attributes:
        names: file or position of each image.
        y_true: int64 [n].
        y_score: float32 [n, classes], probabilities.
        class_names: in the order of the classes.
        seconds: duration of the pass; 0 where the predictions were read from a file.
        sampled: int64 [s], positions of the images whose features were kept.
        features: float32 [s, f], inputs of the last layer with weights for these images.
        temperature: fitted on val, for calibrated probabilities; None where there is none.
    """

    names: list[str]
    y_true: np.ndarray
    y_score: np.ndarray
    class_names: list[str]
    seconds: float = 0.0
    sampled: np.ndarray = field(default_factory=NONE.copy)
    features: np.ndarray = field(default_factory=lambda: np.zeros((0, 0), np.float32))
    temperature: float | None = None

    def __len__(self) -> int:
        return len(self.names)

    @cached_property
    def y_pred(self) -> np.ndarray:
        """int64 [n]: the most likely class of each image."""
        return self.y_score.argmax(axis=1)

    @cached_property
    def correct(self) -> np.ndarray:
        """bool [n]: whether the most likely class is the true one."""
        return self.y_pred == self.y_true

    @cached_property
    def confidence(self) -> np.ndarray:
        """float32 [n]: the probability of the most likely class."""
        return self.y_score.max(axis=1)

    @cached_property
    def class_scores(self) -> ClassScores:
        """Precision, recall, F1 and number of images of each class; 0 where undefined."""
        from sklearn.metrics import precision_recall_fscore_support

        labels = np.arange(len(self.class_names))
        return ClassScores(*precision_recall_fscore_support(self.y_true, self.y_pred, labels=labels, zero_division=0))

    @cached_property
    def one_vs_rest(self) -> OneVsRestCurves:
        """ROC and precision-recall curves of each class against the rest."""
        return one_vs_rest_curves(self.bounded.y_true, self.bounded.y_score)

    @cached_property
    def macro_intervals(self) -> dict[str, tuple[float, float]]:
        """95 % bootstrap intervals of macro recall and macro F1."""
        return macro_intervals(self.y_true, self.y_pred, len(self.class_names))

    @cached_property
    def calibrated(self) -> Predictions | None:
        """The predictions after temperature scaling, of `bounded`; None without a temperature."""
        return None if self.temperature is None else at_temperature(self.bounded, self.temperature)

    @cached_property
    def bounded(self) -> Predictions:
        """These predictions, or a sample with a bounded number of probabilities, for what copies or sorts all of them."""
        most = most_images(len(self.class_names))
        return self if len(self) <= most else self.take(sampled_positions(len(self), most))

    def take(self, positions: np.ndarray) -> Predictions:
        """Return the predictions for the images at these positions, int64 [m], without features."""
        names = [self.names[i] for i in positions]
        empty = {"sampled": NONE, "features": np.zeros((0, 0), np.float32)}
        return replace(self, names=names, y_true=self.y_true[positions], y_score=self.y_score[positions], **empty)

    def notes(self, split: str) -> list[str]:
        """Return a sentence for each group of metrics that is computed on a sample; none for ordinary sizes."""
        found, cells = [], len(np.unique(self.y_true * len(self.class_names) + self.y_pred)) + len(self.class_names)
        if self.bounded is not self:
            what = f"{split}: AUC, average precision, temperature and calibrated metrics"
            found.append(sampled_note(what, len(self.bounded), len(self)))
        if resamples_of(cells) < RESAMPLES:
            found.append(
                f"{split}: intervals of macro averages: from {resamples_of(cells)} resamples, not {RESAMPLES:,}."
            )
        return found

    def sampling(self, positions: np.ndarray) -> Predictions:
        """Return the predictions with the features of these images alone: int64 [s], a subset of `sampled`."""
        kept = np.isin(self.sampled, positions)
        return replace(self, sampled=self.sampled[kept], features=self.features[kept])


def predict_split(model: keras.Model, split: Split, class_names: list[str], sampled: np.ndarray = NONE) -> Predictions:
    """Pass a split through the model once.

    Args:
        model: a classifier from uint8 images to probabilities.
        split: the images and their labels.
        class_names: in the order of the model's outputs.
        sampled: int64 [s], ascending positions of the images whose features to keep.

    Raises:
        RunError: an output is not a probability.
    """
    import keras

    from kerasexp.data.evaluation_batch import evaluation_batch_size

    start, size = time.perf_counter(), min(evaluation_batch_size(split.images.shape[1:]), most_at_once(model))
    last = next((layer for layer in reversed(model.layers) if layer.weights), None)
    # The input of a nested model's last layer is not a tensor of the outer model.
    is_inner = last is None or isinstance(last, keras.Model)
    inside = keras.Model(model.input, [model.output, model.output if is_inner else last.input])
    scores, features = scratch_array((len(split), model.output.shape[-1])), []
    for first in range(0, len(split), size):
        batch_scores, batch_features = inside.predict_on_batch(split.images[first : first + size])
        check_probabilities(batch_scores, split.names[first : first + size])
        scores[first : first + size] = batch_scores
        within = sampled[(sampled >= first) & (sampled < first + size)] - first
        features.append(batch_features[within].astype(np.float32))
    seconds = time.perf_counter() - start
    kind = kind_of(split.labels)
    return kind(split.names, split.labels, scores, class_names, seconds, sampled, np.concatenate(features))


def kind_of(labels: np.ndarray) -> type[Predictions]:
    """Return the class of predictions for labels: one an image, [n], or several, [n, classes]."""
    from kerasexp.evaluation.multi_label_predictions import MultiLabelPredictions  # which imports this module

    return MultiLabelPredictions if is_multi_label(labels) else Predictions


def check_probabilities(scores: np.ndarray, names: Sequence[str]) -> None:
    """Raise RunError with the first image whose scores, [n, classes], are not finite or leave 0..1."""
    values = np.asarray(scores, np.float32)
    wrong = ~are_probabilities(values).all(axis=1)
    if wrong.any():
        first = int(wrong.argmax())
        value = values[first][~are_probabilities(values[first])][0]
        raise RunError(f"{names[first]}: the model gives {value:.3g}, which is not a probability")


def are_probabilities(values: np.ndarray) -> np.ndarray:
    """Return for each value whether it is from 0 to 1, but for rounding in half precision; NaN is not."""
    return (values >= -TOLERANCE) & (values <= 1 + TOLERANCE)


def at_temperature(predictions: Predictions, temperature: float) -> Predictions:
    """Return the predictions with probabilities softmax(log p / T); no predicted class changes."""
    return replace(predictions, y_score=tempered(predictions.y_score, temperature))


def tempered(scores: np.ndarray, temperature: float) -> np.ndarray:
    """Return softmax(log p / T) of probabilities [n, classes] as float64."""
    scaled = log_probabilities(scores) / temperature
    return np.minimum(np.exp(scaled - log_sum_exp(scaled)[:, np.newaxis]), 1.0)


def calibrated(scores: np.ndarray, checkpoint: Checkpoint) -> np.ndarray:
    """Return the probabilities of a checkpoint, [n, classes], at its temperature; as they are where it has none."""
    if checkpoint.temperature is None or checkpoint.multi_label:
        return scores
    return tempered(scores, checkpoint.temperature).astype(np.float32)


def log_probabilities(scores: np.ndarray) -> np.ndarray:
    """Return the logarithms of probabilities: the logits up to a constant per image, which softmax ignores."""
    return np.log(np.maximum(scores.astype(np.float64), np.finfo(np.float32).tiny))


def log_sum_exp(values: np.ndarray) -> np.ndarray:
    """Return log(sum(exp(values))) of each row."""
    highest = values.max(axis=1)
    return highest + np.log(np.exp(values - highest[:, np.newaxis]).sum(axis=1))
