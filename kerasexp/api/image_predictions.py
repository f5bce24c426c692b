"""`kerasexp.ImagePredictions`: the predictions for some images, as arrays."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

# Most images that are listed when predictions are printed, and classes of each.
LISTED, TOP = 10, 3


@dataclass(frozen=True, eq=False)
class ImagePredictions:
    """The predicted classes of some images, as arrays.

    Attributes:
        names: str [n], file or position of each image.
        probabilities: float32 [n, classes].
        class_names: str [classes], in the order of the probabilities.
        y_true: int64 [n], the true classes; None for images without labels.
        thresholds: float64 [classes], the probabilities from which an image has a class, where it may have several; else None.
            `y_true` and `y_pred` are then [n, classes] of 0 and 1, `classes` texts such as `cat;dog`, and `confidence` is the
            probability of all labels together.
        reject_threshold: the probability below which an image is unknown, if the checkpoint has one (`report.reject`).

    Example:
        >>> found = run.predict("new_images")
        >>> found.names[0], found.classes[0], found.confidence[0]
    """

    names: np.ndarray
    probabilities: np.ndarray
    class_names: np.ndarray
    y_true: np.ndarray | None = None
    thresholds: np.ndarray | None = None
    reject_threshold: float | None = None

    def __len__(self) -> int:
        return len(self.names)

    @cached_property
    def y_pred(self) -> np.ndarray:
        """int64 [n]: the most likely class of each image."""
        if self.thresholds is not None:
            return self.probabilities >= self.thresholds
        return self.probabilities.argmax(axis=1)

    @cached_property
    def confidence(self) -> np.ndarray:
        """float32 [n]: the probability of the most likely class."""
        if self.thresholds is not None:
            from kerasexp.evaluation.multi_label_predictions import label_set_confidence

            return label_set_confidence(self.y_pred, self.probabilities)
        return self.probabilities.max(axis=1)

    @property
    def is_unknown(self) -> np.ndarray:
        """bool [n]: whether no class of an image reaches `reject_threshold`; False for all where there is none."""
        return self.confidence < (0 if self.reject_threshold is None else self.reject_threshold)

    @property
    def classes(self) -> np.ndarray:
        """str [n]: the name of the most likely class of each image."""
        if self.thresholds is not None:
            from kerasexp.data.label_sets import label_text

            return np.array([label_text(row, self.class_names) for row in self.y_pred], str)
        return self.class_names[self.y_pred]

    @property
    def correct(self) -> np.ndarray | None:
        """bool [n]: whether the most likely class is the true one; None for images without labels."""
        if self.y_true is None:
            return None
        same = self.y_pred == self.y_true
        return same if self.thresholds is None else same.all(axis=1)

    def mistakes(self, count: int | None = None) -> np.ndarray:
        """Return int64 positions of the wrong predictions, those with the highest probability first.

        Args:
            count: of the most confident ones; None for all.

        Raises:
            ValueError: the images have no labels.
        """
        if self.correct is None:
            raise ValueError("these images have no labels, so it is not known which predictions are wrong")
        from kerasexp.evaluation.mistakes import confident_mistakes

        return confident_mistakes(self, len(self) if count is None else count)

    def __repr__(self) -> str:
        from kerasexp.evaluation.file_predictions import format_predictions, top_classes
        from kerasexp.evaluation.label_predictions import label_predictions

        shown = slice(LISTED)
        of = self.names[shown].tolist(), self.probabilities[shown], self.class_names.tolist()
        rows = (
            top_classes(*of, TOP, self.reject_threshold)
            if self.thresholds is None
            else label_predictions(*of, self.thresholds, TOP)
        )
        more = f"... ({len(self) - LISTED:,} more)\n" if len(self) > LISTED else ""
        return f"{len(self):,} prediction{'s' if len(self) != 1 else ''}\n{format_predictions(list(rows), 'table')}{more}".rstrip()
