"""`predictions.csv`: the predictions of a split as a table, written and read row by row."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from kerasexp.data.label_sets import SEPARATOR
from kerasexp.errors import Problem, UserError
from kerasexp.evaluation.metric_limits import SCORES
from kerasexp.evaluation.multi_label_predictions import MultiLabelPredictions
from kerasexp.evaluation.predictions import Predictions, are_probabilities, kind_of
from kerasexp.storage import scratch_array, write_table

COLUMNS = ["file", "true", "predicted", "correct", "probability"]
# Classes of each image in a table that cannot hold all of them, and the columns before theirs.
TOP, RANKED = 20, [*COLUMNS, "p_true"]
CHUNK_ROWS = 10_000
LabelReader = Callable[[list[str]], np.ndarray]


@dataclass(frozen=True)
class Outcomes:
    """The part of the predictions that a comparison needs: small even with many classes.

    Attributes:
        names: file or position of each image.
        y_true, y_pred: int64 [n], or bool [n, classes] with several labels an image.
        confidence: float32 [n], the probability of the predicted class.
        class_names: in the order of the classes.
    """

    names: list[str]
    y_true: np.ndarray
    y_pred: np.ndarray
    confidence: np.ndarray
    class_names: list[str]

    def __len__(self) -> int:
        return len(self.names)

    @property
    def correct(self) -> np.ndarray:
        """bool [n]: whether the most likely class is the true one, or all labels are right."""
        same = self.y_pred == self.y_true
        return same if same.ndim == 1 else same.all(axis=1)


def is_complete(predictions: Predictions) -> bool:
    """Return whether the table holds every probability; of more than `SCORES`, it holds those of the likeliest classes."""
    return len(predictions) * len(predictions.class_names) <= SCORES


def write_predictions(path: Path, predictions: Predictions) -> None:
    """Write one line per image: file, true and predicted class, whether they are equal, and every probability.

    Several labels are written as `cat;dog`; they are correct if all are, and `probability` is that of all together.
    Nine digits hold a float32 exactly, so metrics computed from the file equal ours. A table that would be too large has
    the probability of the true class and the `TOP` likeliest classes with theirs.

    Raises:
        RunError: it cannot be written, for example because the disk is full.
    """
    if isinstance(predictions, MultiLabelPredictions):
        write_table(path, [*COLUMNS, *(f"p_{name}" for name in predictions.class_names)], _label_rows(predictions))
    elif is_complete(predictions):
        write_table(path, [*COLUMNS, *(f"p_{name}" for name in predictions.class_names)], _complete_rows(predictions))
    else:
        ranks = range(1, min(TOP, len(predictions.class_names)) + 1)
        header = [*RANKED, *(f"{what}_{rank}" for rank in ranks for what in ("class", "p"))]
        write_table(path, header, _ranked_rows(predictions))


def _outcome(predictions: Predictions, i: int) -> list[Any]:
    true, predicted, names = predictions.y_true[i], predictions.y_pred[i], predictions.class_names
    outcome = [predictions.names[i], names[true], names[predicted], int(true == predicted)]
    return [*outcome, f"{predictions.y_score[i, predicted]:.9g}"]


def _complete_rows(predictions: Predictions) -> Iterator[list[Any]]:
    for i in range(len(predictions)):
        yield [*_outcome(predictions, i), *(f"{p:.9g}" for p in predictions.y_score[i])]


def _label_rows(predictions: MultiLabelPredictions) -> Iterator[list[Any]]:
    true, predicted = predictions.texts(predictions.y_true), predictions.texts(predictions.y_pred)
    for i, name in enumerate(predictions.names):
        outcome = [name, true[i], predicted[i], int(predictions.correct[i]), f"{predictions.confidence[i]:.9g}"]
        yield [*outcome, *(f"{p:.9g}" for p in predictions.y_score[i])]


def _ranked_rows(predictions: Predictions) -> Iterator[list[Any]]:
    names, most = predictions.class_names, min(TOP, len(predictions.class_names))
    for i in range(len(predictions)):
        scores = predictions.y_score[i]
        top = np.argpartition(-scores, most - 1)[:most]
        top = top[np.argsort(-scores[top], kind="stable")]
        ranked = (cell for k in top for cell in (names[k], f"{scores[k]:.9g}"))
        yield [*_outcome(predictions, i), f"{scores[predictions.y_true[i]]:.9g}", *ranked]


def read_predictions(
    path: Path, class_names: list[str] | None = None, thresholds: np.ndarray | None = None
) -> Predictions:
    """Load a file that `write_predictions` made.

    Args:
        path: the file.
        class_names: in the order of the classes; needed for a table of the likeliest classes, whose header lacks them. There,
            the other classes share the rest of the probability equally.
        thresholds: float64 [classes], if images have several labels.

    Raises:
        UserError: the file is missing or has another format.
    """
    with _opened(path) as (rows, header):
        if _is_ranked(header):
            return _read_ranked(rows, class_names or [])
        found = _read_complete(rows, _names_in(header), thresholds is not None)
        return found if thresholds is None else replace(found, thresholds=thresholds)


def read_outcomes(path: Path, class_names: list[str], multi_label: bool = False) -> Outcomes:
    """Load true and predicted classes of such a file; errors as for `read_predictions`.

    Args:
        path, class_names: as for `read_predictions`.
        multi_label: whether images have several labels.
    """
    with _opened(path) as (rows, header):
        if not _is_ranked(header):
            class_names = _names_in(header)
        read_labels = _label_reader(class_names, multi_label)

        def values(chunk: list[list[str]]) -> tuple[np.ndarray, np.ndarray]:
            return read_labels([row[2] for row in chunk]), np.array([row[4] for row in chunk], np.float32)

        names, y_true, (y_pred, confidence) = _read_chunks(rows, read_labels, values)
        return Outcomes(names, y_true, y_pred, confidence, class_names)


def _names_in(header: list[str]) -> list[str]:
    return [name.removeprefix("p_") for name in header[len(COLUMNS) :]]


def _label_reader(class_names: list[str], multi_label: bool) -> LabelReader:
    """Return the function from cells to labels: int64 [n], or uint8 [n, classes]."""
    index = {name: position for position, name in enumerate(class_names)}

    def one(cells: list[str]) -> np.ndarray:
        return np.array([index[cell] for cell in cells], np.int64)

    def several(cells: list[str]) -> np.ndarray:
        labels = np.zeros((len(cells), len(class_names)), np.uint8)
        for row, cell in zip(labels, cells, strict=True):
            row[[index[name] for name in cell.split(SEPARATOR) if name]] = 1
        return labels

    return several if multi_label else one


def _is_ranked(header: list[str]) -> bool:
    return header[: len(RANKED) + 1] == [*RANKED, "class_1"]


@contextmanager
def _opened(path: Path) -> Iterator[tuple[Iterator[list[str]], list[str]]]:
    """Yield the rows and the header of a table; turn what goes wrong in the block into a UserError."""
    try:
        with path.open(newline="", encoding="utf-8", errors="surrogateescape") as file:
            rows = csv.reader(file)
            header = next(rows, None)
            if header is None:
                raise ValueError("it is empty")
            yield rows, header
    except OSError as error:
        raise UserError(Problem(f"cannot be read: {error.strerror or error}", str(path))) from None
    except (ValueError, KeyError, IndexError) as error:
        raise UserError(Problem(f"is not a table of predictions: {error}", str(path))) from None


def _read_complete(rows: Iterable[list[str]], class_names: list[str], multi_label: bool) -> Predictions:
    def values(chunk: list[list[str]]) -> tuple[np.ndarray]:
        scores = np.array([row[len(COLUMNS) :] for row in chunk], np.float32)
        return (_probabilities(scores.reshape(len(chunk), len(class_names))),)

    names, y_true, (y_score,) = _read_chunks(rows, _label_reader(class_names, multi_label), values)
    return kind_of(y_true)(names, y_true, y_score, class_names)


def _read_ranked(rows: Iterable[list[str]], class_names: list[str]) -> Predictions:
    index = {name: position for position, name in enumerate(class_names)}

    def values(chunk: list[list[str]]) -> tuple[np.ndarray, ...]:
        top = np.array([[index[name] for name in row[len(RANKED) :: 2]] for row in chunk], np.int64)
        scores = _probabilities(np.array([row[len(RANKED) + 1 :: 2] for row in chunk], np.float32))
        return top, scores, _probabilities(np.array([row[len(COLUMNS)] for row in chunk], np.float32))

    names, y_true, (top, scores, of_true) = _read_chunks(rows, _label_reader(class_names, False), values)
    y_score, every = scratch_array((len(names), len(class_names))), np.arange(len(names))
    hidden = (top != y_true[:, np.newaxis]).all(axis=1)
    rest = 1 - scores.sum(axis=1) - np.where(hidden, of_true, 0)
    y_score += (np.maximum(rest, 0) / np.maximum(len(class_names) - top.shape[1] - hidden, 1))[:, np.newaxis]
    y_score[every, y_true] = of_true
    y_score[every[:, np.newaxis], top] = scores
    return Predictions(names, y_true, y_score, class_names)


def _probabilities(values: np.ndarray) -> np.ndarray:
    if not are_probabilities(values).all():
        raise ValueError("a probability is not a number from 0 to 1")
    return values


def _read_chunks(
    rows: Iterable[list[str]], read_labels: LabelReader, values: Callable[[list[list[str]]], tuple[np.ndarray, ...]]
) -> tuple[list[str], np.ndarray, list[np.ndarray]]:
    """Return names, labels, and the joined arrays that `values` makes of every chunk of rows."""
    rows, names, labels, found = iter(rows), [], [], []
    while chunk := list(islice(rows, CHUNK_ROWS)):
        names += [row[0] for row in chunk]
        labels.append(read_labels([row[1] for row in chunk]))
        found.append(values(chunk))
    if not found:
        return [], read_labels([]), list(values([]))
    return names, np.concatenate(labels), [np.concatenate(each) for each in zip(*found, strict=True)]
