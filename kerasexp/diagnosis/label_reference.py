"""Assessment of labels with a checkpoint whose classes have the same names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from kerasexp.data.prepared_data import Split
from kerasexp.diagnosis.label_assessment import assess_scores
from kerasexp.diagnosis.results import LabelAssessment
from kerasexp.errors import Problem, UserError, listing
from kerasexp.evaluation.confusion_counts import contingency_table, filled_cells
from kerasexp.evaluation.data_for_checkpoint import suggested_pairs
from kerasexp.evaluation.predictions import at_temperature, predict_split
from kerasexp.saving.checkpoint import Checkpoint, find_checkpoint, is_multi_label, read_classes


def shared_classes(class_names: list[str], checkpoint: Checkpoint) -> dict[int, int]:
    """Return label -> output of the checkpoint, for the classes that both have, by class name or by stored label.

    Raises:
        UserError: they share fewer than two classes.
    """
    outputs = {name: k for k, name in enumerate(checkpoint.class_names)}
    names = [checkpoint.folders.get(name, name) for name in class_names]
    shared = {label: outputs[name] for label, name in enumerate(names) if name in outputs}
    if len(shared) < 2:
        unknown = [name for label, name in enumerate(class_names) if label not in shared]
        raise UserError(
            Problem(
                f"has the classes {listing(checkpoint.class_names)}; the data have {listing(class_names)}: "
                f"{'only one is' if shared else 'none are'} the same, and at least two are needed; if classes are the same "
                f"under other names: {suggested_pairs(unknown, checkpoint.class_names)}",
                key="--reference",
            )
        )
    return shared


def assess_with_checkpoint(
    splits: Mapping[str, Split],
    sampled: Mapping[str, np.ndarray],
    class_names: list[str],
    checkpoint: Checkpoint,
    assessor: str,
) -> list[LabelAssessment]:
    """Assess the labels of splits with a checkpoint's predictions.

    Images of other classes than the shared ones are left out, and the probabilities of other classes ignored.

    Args:
        splits: with the checkpoint's preprocessing.
        sampled: by split, int64 [n], positions of the images to predict.
        class_names: of the data.
        checkpoint: with its temperature, if it has one.
        assessor: its name in texts.
    """
    shared = shared_classes(class_names, checkpoint)
    new_label = np.full(len(class_names), -1)
    new_label[list(shared)] = np.arange(len(shared))
    scores, labels = {}, {}
    for name, positions in sampled.items():
        labels[name] = new_label[splits[name].labels]
        known = positions[labels[name][positions] >= 0]
        if len(known):
            predictions = predict_split(checkpoint.model, splits[name].take(known), checkpoint.class_names)
            predictions = at_temperature(predictions, checkpoint.temperature or 1.0)
            kept = predictions.y_score[:, list(shared.values())]
            scores[name] = known, kept / np.maximum(kept.sum(axis=1, keepdims=True), 1e-12)
    return assess_scores(scores, labels, [class_names[label] for label in shared], assessor)


def matching_checkpoints(class_names: list[str], folders: list[Path]) -> list[Path]:
    """Return the checkpoints in these folders, which may be the same, that give one of exactly the classes of the data."""
    found = []
    for folder in {folder.resolve(): folder for folder in reversed(folders)}.values():
        for path in sorted(folder.iterdir()) if folder.is_dir() else []:
            try:
                checkpoint = find_checkpoint(path)
                (names, stored), several = read_classes(checkpoint), is_multi_label(checkpoint)
            except UserError:
                continue
            if not several and {stored.get(name, name) for name in class_names} == set(names):
                found.append(path)
    return found


def matched_share(first: np.ndarray, second: np.ndarray, classes: int) -> float:
    """Return the agreement of two labellings, int [n] each, after the best matching of their classes."""
    from scipy.optimize import linear_sum_assignment

    table = contingency_table(first, second, classes)
    if isinstance(table, np.ndarray):
        matched = table[linear_sum_assignment(table, maximize=True)].sum()
    else:
        # Of many classes, the cells that are the largest of their row and of their column.
        rows, columns, counts = filled_cells(table)
        largest = table.max(axis=1).toarray()[rows], table.max(axis=0).toarray()[columns]
        matched = counts[(counts == largest[0]) & (counts == largest[1])].sum()
    return float(matched / max(table.sum(), 1))
