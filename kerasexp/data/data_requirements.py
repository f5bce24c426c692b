"""Checks of whether an experiment fits its data, and the effect of classes without training images."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from kerasexp.config import Experiment
from kerasexp.config.head_section import OTHER, ZeroShot
from kerasexp.config.model_section import classical_head
from kerasexp.data.epoch_sampling import Sampling
from kerasexp.data.prepared_data import PreparedData
from kerasexp.data.stratified_sampling import cross_validation_folds
from kerasexp.errors import Problem, closest, listing


def misfits(experiment: Experiment, data: PreparedData) -> list[Problem]:
    """Return the settings of the experiment that do not fit its data."""
    train, batch = data.splits["train"], experiment.training.batch_size
    problems = []
    # A stand-in only shows that everything works, so it may be smaller than a batch. A classical head has no batches.
    if batch > len(train) and data.stand_in is None and classical_head(experiment.model) is None:
        message = f"{batch} is more than the {len(train)} training images"
        problems.append(Problem(message, experiment.name, "training.batch_size"))
    classes, batches = np.count_nonzero(data.train_counts), experiment.training.class_batches
    if batches is not None and batches.classes > classes and data.stand_in is None:
        message = f"{batches.classes} is more than the {classes} classes that have training images"
        problems.append(Problem(message, experiment.name, "training.class_batches.classes"))
    weights = getattr(experiment.training.loss, "class_weights", None)
    # A stand-in may have other classes.
    for name in weights if isinstance(weights, dict) and data.stand_in is None else ():
        if name not in data.class_names:
            message = f"'{name}' is no class of the data{closest(name, data.class_names)}; classes: {listing(data.class_names, 30)}"
            problems.append(Problem(message, experiment.name, "training.loss.class_weights"))
    problems += [Problem(text, experiment.name, key) for key, text in _training_misfits(experiment, data)]
    problems += [Problem(text, experiment.name, f"model.head.{key}") for key, text in _head_misfits(experiment, data)]
    absent = [data.class_names[label] for label in absent_labels(data)]
    # A class that the experiment removes on purpose is no problem; `absence` explains the effect.
    unasked = [name for name in absent if experiment.data.labels.keep.get(name) != 0]
    if unasked:
        problems.append(Problem(f"train has no image of {listing(unasked)}", experiment.name, "data"))
    return problems


def _training_misfits(experiment: Experiment, data: PreparedData) -> Iterator[tuple[str, str]]:
    """Yield (key, message) for each setting of the training that does not fit the number of classes or of batches."""
    training, classes = experiment.training, len(data.class_names)
    transition = getattr(training.loss, "transition", None)
    # A stand-in may have other classes, and fewer images.
    if data.stand_in is not None or classical_head(experiment.model) is not None:
        return
    if isinstance(transition, list) and len(transition) != classes:
        yield "training.loss.transition", f"has {len(transition)} rows, and the data have {classes} classes"
    if training.accumulate == 1:
        return
    batches = training.epochs * Sampling.of(experiment).size(data.training_counts, len(data.splits["train"])).steps
    if training.accumulate > batches:
        message = f"got {training.accumulate}, and the training has {batches} batches, so that no step would be taken"
        yield "training.accumulate", message


def _head_misfits(experiment: Experiment, data: PreparedData) -> Iterator[tuple[str, str]]:
    """Yield (key below `model.head`, message) for each setting of a classical head that does not fit the data."""
    match classical_head(experiment.model):
        case ("zero_shot", head):
            # A stand-in has other classes; it only shows that everything works.
            if data.stand_in is None:
                yield from _mapping_misfits(head, data.class_names)
        case ("knn", head):
            unfit = list(_cross_validation_misfits("knn.k", head.k, data, experiment.seed))
            yield from unfit
            images = sum(data.train_counts)
            fewest = images if len(head.k) == 1 or unfit else _smallest_fold(data, experiment.seed)
            if max(head.k) > fewest:
                yield "knn.k", f"{max(head.k)} neighbours are too many for {images} training images"
        case (name, head):
            yield from _cross_validation_misfits(f"{name}.C", head.C, data, experiment.seed)


def _cross_validation_misfits(key: str, values: list, data: PreparedData, seed: int) -> Iterator[tuple[str, str]]:
    train, fewest = data.splits["train"], min(count for count in data.train_counts if count)
    picks = "with several values, cross-validation on train picks the best"
    if len(values) == 1:
        return
    if fewest < 2:
        name = data.class_names[data.train_counts.index(fewest)]
        yield key, f"{picks}, which needs two training images of each class; {name} has one"
    elif train.groups is not None and len(set(train.groups)) < 2:
        yield key, f"{picks}, which needs two groups of images; train has one. Give one value"
    elif train.groups is not None and any(
        len(np.unique(train.labels[kept])) < 2 for kept, _ in cross_validation_folds(train.labels, train.groups, seed)
    ):
        yield (
            key,
            f"{picks}, and its folds, which keep groups together, leave a single class to train on. Give one value",
        )


def _smallest_fold(data: PreparedData, seed: int) -> int:
    """Return the smallest number of images that a fold of the cross-validation trains on."""
    train = data.splits["train"]
    # Without groups, folds are equal, and the fewest are two.
    if train.groups is None:
        return len(train) // 2
    return min(len(kept) for kept, _ in cross_validation_folds(train.labels, train.groups, seed))


def _mapping_misfits(head: ZeroShot, class_names: list[str]) -> Iterator[tuple[str, str]]:
    for name in head.outputs:
        if name not in class_names:
            near = closest(name, class_names)
            yield f"zero_shot.outputs.{name}", f"is not a class of the data{near}; classes: {listing(class_names, 30)}"
    for name in class_names:
        if name not in head.outputs:
            yield "zero_shot.outputs", f"lacks the class {name}; write {name}: [] if ImageNet has no such class"
    if head.other and OTHER in class_names:
        yield (
            "zero_shot.other",
            f"the data already have a class named {OTHER}; rename it with data.class_names, or write false",
        )


def absent_labels(data: PreparedData) -> list[int]:
    """Return the labels that have no training image."""
    return [label for label, count in enumerate(data.train_counts) if not count]


def absence(data: PreparedData) -> str | None:
    """Return a sentence on the effect of classes without training images; None if there are none."""
    absent = absent_labels(data)
    if not absent:
        return None
    names = listing(data.class_names[label] for label in absent)
    ceiling = 1 - np.isin(data.splits["test"].labels, absent).mean()
    return f"train has no image of {names}: no loss can make up for that, and test accuracy cannot exceed {ceiling:.4f}"
