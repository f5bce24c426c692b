"""A checkpoint's answers about labelled images whose classes have the same names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from kerasexp.data.prepared_data import Split
from kerasexp.diagnosis.information import label_table
from kerasexp.diagnosis.label_reviews import by_checkpoint
from kerasexp.diagnosis.results import JudgedLabels
from kerasexp.errors import Problem, UserError, listing
from kerasexp.evaluation.calibration import at_temperature
from kerasexp.evaluation.predictions import predict_split
from kerasexp.saving.checkpoint import Checkpoint, find_checkpoint, read_classes


def shared_classes(class_names: list[str], checkpoint: Checkpoint) -> dict[int, int]:
    """Return label -> output of the checkpoint, for the classes that both have; a stored label may be named as in its data.

    Raises:
        UserError: they share fewer than two.
    """
    outputs = {name: k for k, name in enumerate(checkpoint.class_names)}
    meant = [checkpoint.folders.get(name, name) for name in class_names]
    shared = {label: outputs[name] for label, name in enumerate(meant) if name in outputs}
    if len(shared) < 2:
        raise UserError(
            Problem(
                f"knows the classes {listing(checkpoint.class_names)}; the data have {listing(class_names)}: "
                f"{'only one is' if shared else 'none are'} the same, and judging labels needs two",
                key="--reference",
            )
        )
    return shared


def judged_by_checkpoint(
    splits: Mapping[str, Split],
    asked: Mapping[str, np.ndarray],
    class_names: list[str],
    checkpoint: Checkpoint,
    judge: str,
) -> list[JudgedLabels]:
    """Judge the labels of splits, preprocessed as the checkpoint wants them, by what it says of them.

    Only the classes that both have are looked at, and only the checkpoint's probabilities of these.

    Args:
        splits: with the checkpoint's preprocessing.
        asked: by split, int64 [n], positions of the images to ask about.
        class_names: of the data.
        checkpoint: with its temperature, if it has one.
        judge: its name, for people.
    """
    shared = shared_classes(class_names, checkpoint)
    new_label = np.full(len(class_names), -1)
    new_label[list(shared)] = np.arange(len(shared))
    scores, labels = {}, {}
    for name, positions in asked.items():
        labels[name] = new_label[splits[name].labels]
        known = positions[labels[name][positions] >= 0]
        if len(known):
            said = predict_split(checkpoint.model, splits[name].take(known), checkpoint.class_names)
            said = at_temperature(said, checkpoint.temperature or 1.0)
            kept = said.y_score[:, list(shared.values())]
            scores[name] = known, kept / np.maximum(kept.sum(axis=1, keepdims=True), 1e-12)
    return by_checkpoint(scores, labels, [class_names[label] for label in shared], judge)


def fitting_checkpoints(class_names: list[str], folders: list[Path]) -> list[Path]:
    """Return the checkpoints in these folders that tell apart just the classes of the data."""
    found = []
    for folder in folders:
        for path in sorted(folder.iterdir()) if folder.is_dir() else []:
            try:
                names, stored = read_classes(find_checkpoint(path))
            except UserError:
                continue
            if {stored.get(name, name) for name in class_names} == set(names):
                found.append(path)
    return found


def matched_share(first: np.ndarray, second: np.ndarray, classes: int) -> float:
    """Return in how large a share of images two answers agree, once the names of one are matched to the other's."""
    from scipy.optimize import linear_sum_assignment

    table = label_table(first, second, classes)
    return float(table[linear_sum_assignment(table, maximize=True)].sum() / max(table.sum(), 1))
