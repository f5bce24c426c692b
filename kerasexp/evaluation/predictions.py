"""What a model says of every picture of a split, from one pass; metrics, plots and pages read only this."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from kerasexp.runs import csv_text

if TYPE_CHECKING:
    import keras

    from kerasexp.data.preparation import Split

BATCH = 500


@dataclass(frozen=True)
class Predictions:
    """The predictions for one split.

    Attributes:
        names: file or position of each picture.
        y_true: int64 [n].
        y_score: float32 [n, classes], probabilities.
        class_names: in the order of the classes.
        seconds: how long the pass took.
    """

    names: list[str]
    y_true: np.ndarray
    y_score: np.ndarray
    class_names: list[str]
    seconds: float

    @cached_property
    def y_pred(self) -> np.ndarray:
        """int64 [n]: the most likely class of each picture."""
        return self.y_score.argmax(axis=1)

    def to_csv(self) -> str:
        """Return one line per picture: file, true and predicted class, whether they agree, and every probability.

        Nine digits hold a float32 exactly, so figures computed from the file equal ours.
        """
        header = ["file", "true", "predicted", "correct", "probability", *(f"p_{name}" for name in self.class_names)]
        rows = []
        for i, name in enumerate(self.names):
            true, predicted, scores = self.y_true[i], self.y_pred[i], self.y_score[i]
            verdict = [self.class_names[true], self.class_names[predicted], int(true == predicted)]
            rows.append([name, *verdict, *(f"{p:.9g}" for p in (scores[predicted], *scores))])
        return csv_text(header, rows)


def predict_split(model: keras.Model, split: Split, class_names: list[str]) -> Predictions:
    """Pass a split through the model once."""
    from kerasexp.data.pipeline import evaluation_batches

    start = time.perf_counter()
    scores = model.predict(evaluation_batches(split.images, None, BATCH), verbose=0)
    return Predictions(split.names, split.labels, scores, class_names, time.perf_counter() - start)
