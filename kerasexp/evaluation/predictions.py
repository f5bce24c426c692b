"""What a model says of every image of a split, from one pass; metrics, plots and pages read only this."""

from __future__ import annotations

import csv
import time
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from kerasexp.errors import Problem, UserError
from kerasexp.storage import csv_text

if TYPE_CHECKING:
    import keras

    from kerasexp.data.prepared_data import Split

COLUMNS = ["file", "true", "predicted", "correct", "probability"]
NONE = np.zeros(0, np.int64)


@dataclass(frozen=True)
class Predictions:
    """The predictions for one split.

    Attributes:
        names: file or position of each image.
        y_true: int64 [n].
        y_score: float32 [n, classes], probabilities.
        class_names: in the order of the classes.
        seconds: how long the pass took; 0 where the predictions were read from a file.
        sampled: int64 [s], positions of the images whose features were kept.
        features: float32 [s, f], what the last layer sees of these images.
    """

    names: list[str]
    y_true: np.ndarray
    y_score: np.ndarray
    class_names: list[str]
    seconds: float = 0.0
    sampled: np.ndarray = field(default_factory=NONE.copy)
    features: np.ndarray = field(default_factory=lambda: np.zeros((0, 0), np.float32))

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

    def sampling(self, positions: np.ndarray) -> Predictions:
        """Return the same with the features of these images alone, int64 [s], which are among those that were kept."""
        kept = np.isin(self.sampled, positions)
        return replace(self, sampled=self.sampled[kept], features=self.features[kept])

    def to_csv(self) -> str:
        """Return one line per image: file, true and predicted class, whether they agree, and every probability.

        Nine digits hold a float32 exactly, so figures computed from the file equal ours.
        """
        rows = []
        for i, name in enumerate(self.names):
            true, predicted, scores = self.y_true[i], self.y_pred[i], self.y_score[i]
            verdict = [self.class_names[true], self.class_names[predicted], int(true == predicted)]
            rows.append([name, *verdict, *(f"{p:.9g}" for p in (scores[predicted], *scores))])
        return csv_text([*COLUMNS, *(f"p_{name}" for name in self.class_names)], rows)


def read_predictions(path: Path) -> Predictions:
    """Read what `to_csv` wrote.

    Raises:
        UserError: the file is missing or is no such table.
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
        model: a classifier of uint8 images, which gives probabilities.
        split: the images and their labels.
        class_names: in the order of the model's outputs.
        sampled: int64 [s], ascending positions of the images whose features are wanted as well.
    """
    import keras

    from kerasexp.data.pipeline import evaluation_batch

    start, size = time.perf_counter(), evaluation_batch(split.images.shape[1:])
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
