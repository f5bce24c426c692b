"""Labels as arrays: one an image, int64 [n], or several, uint8 [n, classes] of 0 and 1."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from kerasexp.data.source import Source, resolve_classes
from kerasexp.errors import Problem, UserError

# Between the labels of an image, where they are one text.
SEPARATOR = ";"


def is_multi_label(labels: np.ndarray) -> bool:
    """Return whether images have several labels."""
    return labels.ndim == 2


def count_labels(labels: np.ndarray, classes: int) -> np.ndarray:
    """Return the number of images of each class, int64 [classes]; an image of several classes counts for each."""
    if is_multi_label(labels):
        return labels.sum(axis=0, dtype=np.int64)
    return np.bincount(labels, minlength=classes)


def label_set_numbers(labels: np.ndarray) -> np.ndarray:
    """Return a number for each image, int64 [n], equal for images with equal labels: the label itself if there is one."""
    if not is_multi_label(labels):
        return labels
    return np.unique(labels, axis=0, return_inverse=True)[1].reshape(-1).astype(np.int64)


def label_text(label: np.ndarray | int, class_names: Sequence[str]) -> str:
    """Return the class of an image, or of several labels, uint8 [classes], the classes as `cat;dog`; empty for none."""
    if np.ndim(label) == 0:
        return class_names[label]
    return SEPARATOR.join(class_names[i] for i in np.flatnonzero(label))


def as_classes(labels: np.ndarray, class_names: list[str]) -> tuple[np.ndarray, list[str]]:
    """Return sets of labels as classes of their own, for what shows one class an image.

    Args:
        labels: one an image, int64 [n], which are returned unchanged, or several, [..., classes] of 0 and 1.
        class_names: in the order of the classes.

    Returns:
        int64 [n] or [...], and the names of the classes; an image without labels is of the class `–`.
    """
    if labels.ndim == 1:
        return labels, class_names
    sets, numbers = np.unique(labels.reshape(-1, len(class_names)), axis=0, return_inverse=True)
    return numbers.reshape(labels.shape[:-1]), [label_text(row, class_names) or "–" for row in sets]


def label_set(names: Iterable[str]) -> str:
    """Return stored labels as one text, each once; a set without labels is not empty, as the name of a class is not.

    Raises:
        UserError: a label has the separator in it.
    """
    names = sorted(set(names))
    for name in names:
        if SEPARATOR in name:
            message = f"the label {name!r:.100} has a '{SEPARATOR}', which separates labels; rename it"
            raise UserError(Problem(message, key="data.multi_label"))
    return SEPARATOR.join(names) or SEPARATOR


def with_label_sets(source: Source, class_names: dict[str, str] | None, every: Sequence[str] = ()) -> Source:
    """Return a source whose classes are texts of `label_set` with several labels an image.

    Args:
        source: with such a text for each class.
        class_names: the key `data.class_names`; labels that it does not name are left out, their images are not.
        every: stored labels that no image may have.
    """
    sets = [[part for part in text.split(SEPARATOR) if part] for text in source.class_names]
    folders = resolve_classes([*every, *(name for names in sets for name in names)], class_names)
    names = list(dict.fromkeys(folders.values()))
    rows = np.zeros((len(sets), len(names)), np.uint8)
    for row, stored in enumerate(sets):
        rows[row, [names.index(folders[name]) for name in stored if name in folders]] = 1
    splits = {split: replace(images, labels=rows[images.labels]) for split, images in source.splits.items()}
    return replace(source, class_names=names, folders=folders, splits=splits)
