"""Whether an experiment fits its data, and what it means that a class has no training images."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from kerasexp.config import Experiment
from kerasexp.config.head import OTHER, ZeroShot
from kerasexp.config.head_rules import head_without_steps
from kerasexp.data.prepared_data import PreparedData
from kerasexp.errors import Problem, closest, listing


def misfits(experiment: Experiment, data: PreparedData) -> list[Problem]:
    """Return what of the experiment does not fit its data."""
    train, batch = data.splits["train"], experiment.training.batch_size
    problems = []
    # A stand-in is there to show that all works; it may be one batch. A head that no steps train has no batches.
    if batch > len(train) and data.stand_in is None and head_without_steps(experiment) is None:
        message = f"{batch} is more than the {len(train)} training images"
        problems.append(Problem(message, experiment.name, "training.batch_size"))
    classes, batches = np.count_nonzero(data.train_counts), experiment.training.class_batches
    if batches is not None and batches.classes > classes and data.stand_in is None:
        message = f"{batches.classes} is more than the {classes} classes that have training images"
        problems.append(Problem(message, experiment.name, "training.class_batches.classes"))
    problems += [Problem(text, experiment.name, f"model.head.{key}") for key, text in _head_misfits(experiment, data)]
    absent = [data.class_names[label] for label in absent_labels(data)]
    # Who asks for a class to be missing is told what that means, and gets it.
    unasked = [name for name in absent if experiment.data.labels.keep.get(name) != 0]
    if unasked:
        problems.append(Problem(f"train holds no image of {listing(unasked)}", experiment.name, "data"))
    return problems


def _head_misfits(experiment: Experiment, data: PreparedData) -> Iterator[tuple[str, str]]:
    """Yield (key below `model.head`, message) for what of a head that no steps train does not fit the data."""
    match head_without_steps(experiment):
        case ("zero_shot", head):
            # A stand-in has other classes, and shows that all works.
            if data.stand_in is None:
                yield from _unmapped(head, data.class_names)
        case ("knn", head):
            yield from _unchoosable("knn.k", head.k, data)
            # In cross-validation half of the images may be all that is known.
            images = sum(data.train_counts)
            if max(head.k) > images // (2 if len(head.k) > 1 else 1):
                yield "knn.k", f"{max(head.k)} is too many for {images} training images"
        case (name, head):
            yield from _unchoosable(f"{name}.C", head.C, data)


def _unchoosable(key: str, values: list, data: PreparedData) -> Iterator[tuple[str, str]]:
    fewest = min(count for count in data.train_counts if count)
    if len(values) > 1 and fewest < 2:
        name = data.class_names[data.train_counts.index(fewest)]
        yield (
            key,
            "has several to choose from by cross-validation, for which each class needs two training images; "
            f"{name} has one",
        )


def _unmapped(head: ZeroShot, class_names: list[str]) -> Iterator[tuple[str, str]]:
    for name in head.outputs:
        if name not in class_names:
            near = closest(name, class_names)
            yield f"zero_shot.outputs.{name}", f"is no class of the data{near}; there: {listing(class_names, 30)}"
    for name in class_names:
        if name not in head.outputs:
            yield "zero_shot.outputs", f"says nothing of the class {name}; write {name}: [] where ImageNet lacks it"
    if head.other and OTHER in class_names:
        yield (
            "zero_shot.other",
            f"the data have a class of the name {OTHER}; rename it by data.class_names, or write false",
        )


def absent_labels(data: PreparedData) -> list[int]:
    """Return the labels of which train holds no image."""
    return sorted(set(range(len(data.class_names))) - set(data.splits["train"].labels.tolist()))


def absence(data: PreparedData) -> str | None:
    """Return what it means that train lacks a class, in a sentence; None where it has all."""
    absent = absent_labels(data)
    if not absent:
        return None
    names = listing(data.class_names[label] for label in absent)
    ceiling = 1 - np.isin(data.splits["test"].labels, absent).mean()
    return f"train holds no image of {names}: no loss can teach them, and test accuracy cannot exceed {ceiling:.4f}"
