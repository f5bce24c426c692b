"""The predictions for every image of a split, from one pass; all metrics and plots are computed from them."""

from __future__ import annotations

import csv
import time
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from kerasexp.errors import Problem, UserError
from kerasexp.evaluation.calibration import at_temperature
from kerasexp.evaluation.intervals import macro_intervals
from kerasexp.evaluation.roc import OneVsRestCurves, one_vs_rest_curves
from kerasexp.storage import csv_text

if TYPE_CHECKING:
    import keras

    from kerasexp.data.prepared_data import Split

COLUMNS = ["file", "true", "predicted", "correct", "probability"]
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
        return one_vs_rest_curves(self.y_true, self.y_score)

    @cached_property
    def macro_intervals(self) -> dict[str, tuple[float, float]]:
        """95 % bootstrap intervals of macro recall and macro F1."""
        return macro_intervals(self.y_true, self.y_pred, len(self.class_names))

    @cached_property
    def calibrated(self) -> Predictions | None:
        """The predictions after temperature scaling; None without a temperature."""
        return None if self.temperature is None else at_temperature(self, self.temperature)

    def sampling(self, positions: np.ndarray) -> Predictions:
        """Return the predictions with the features of these images alone: int64 [s], a subset of `sampled`."""
        kept = np.isin(self.sampled, positions)
        return replace(self, sampled=self.sampled[kept], features=self.features[kept])

    def to_csv(self) -> str:
        """Return one line per image: file, true and predicted class, whether they are equal, and every probability.

        Nine digits hold a float32 exactly, so metrics computed from the file equal ours.
        """
        rows = []
        for i, name in enumerate(self.names):
            true, predicted, scores = self.y_true[i], self.y_pred[i], self.y_score[i]
            classes = [self.class_names[true], self.class_names[predicted], int(true == predicted)]
            rows.append([name, *classes, *(f"{p:.9g}" for p in (scores[predicted], *scores))])
        return csv_text([*COLUMNS, *(f"p_{name}" for name in self.class_names)], rows)


def read_predictions(path: Path) -> Predictions:
    """Load a file that `to_csv` made.

    Raises:
        UserError: the file is missing or has another format.
    """
    try:
        with path.open(newline="", encoding="utf-8", errors="surrogateescape") as file:
            header, *rows = csv.reader(file)
        class_names = [name.removeprefix("p_") for name in header[len(COLUMNS) :]]
        index = {name: position for position, name in enumerate(class_names)}
        y_true = np.array([index[row[1]] for row in rows], np.int64)
        y_score = np.array([row[len(COLUMNS) :] for row in rows], np.float32).reshape(len(rows), len(class_names))
    except OSError as error:
        raise UserError(Problem(f"cannot be read: {error.strerror or error}", str(path))) from None
    except (ValueError, KeyError, IndexError) as error:
        raise UserError(Problem(f"is no table of predictions: {error}", str(path))) from None
    return Predictions([row[0] for row in rows], y_true, y_score, class_names)


def predict_split(model: keras.Model, split: Split, class_names: list[str], sampled: np.ndarray = NONE) -> Predictions:
    """Pass a split through the model once.

    Args:
        model: a classifier from uint8 images to probabilities.
        split: the images and their labels.
        class_names: in the order of the model's outputs.
        sampled: int64 [s], ascending positions of the images whose features to keep.
    """
    import keras

    from kerasexp.data.input_pipeline import evaluation_batch_size

    start, size = time.perf_counter(), evaluation_batch_size(split.images.shape[1:])
    last = next(layer for layer in reversed(model.layers) if layer.weights)
    inside = keras.Model(model.input, [model.output, last.input])
    scores, features = [], []
    for first in range(0, len(split), size):
        batch_scores, batch_features = inside.predict_on_batch(split.images[first : first + size])
        scores.append(batch_scores)
        within = sampled[(sampled >= first) & (sampled < first + size)] - first
        features.append(batch_features[within].astype(np.float32))
    seconds = time.perf_counter() - start
    return Predictions(
        split.names, split.labels, np.concatenate(scores), class_names, seconds, sampled, np.concatenate(features)
    )
