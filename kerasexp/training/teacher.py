"""The teachers of a distillation: checkpoints, loaded as those of strangers, that predict the images of each batch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops

from kerasexp.config import Experiment
from kerasexp.config.section_base import composed
from kerasexp.config.training_section import Training
from kerasexp.console import Console
from kerasexp.data.evaluation_batch import evaluation_batch_size
from kerasexp.data.pipeline import evaluation_batches
from kerasexp.data.prepared_data import PreparedData, Split
from kerasexp.errors import Problem, UserError, listing
from kerasexp.losses.distillation import LEAST, at_temperature, log_odds
from kerasexp.models import logits_tensors
from kerasexp.models.decoding_layer import ARGMAX
from kerasexp.saving.checkpoint import MODEL, Checkpoint, is_multi_label, load_checkpoint
from kerasexp.saving.teacher_checkpoints import KEY, at_key, teacher_folder
from kerasexp.storage import digest_of_file
from kerasexp.training.training_accuracy import build_accuracy


@dataclass(frozen=True)
class Teacher:
    """One network that teaches, or several of the same classes, the mean of whose probabilities teaches.

    Attributes:
        names: of the checkpoints, as they were given.
        digests: of their files.
        models: from uint8 images to probabilities.
        orders: for each model, its position of each class of the data, int64 [classes]; empty where features are taught.
        multi_label: whether an image may have several labels.
    """

    names: list[str]
    digests: list[str]
    models: list[keras.Model]
    orders: list[np.ndarray]
    multi_label: bool

    def probabilities(self, images, temperature: float = 1.0):
        """Return the mean of the models' probabilities at a temperature, float32 [n, classes], of uint8 images."""
        total = 0.0
        for model, order in zip(self.models, self.orders, strict=True):
            scores = ops.take(ops.cast(model(images, training=False), "float32"), order, axis=-1)
            total += scores if temperature == 1 else at_temperature(scores, temperature, self.multi_label)
        return total / len(self.models)

    def feature_model(self) -> keras.Model:
        """Return the model from images to the features [n, f] of the first teacher, the input of its layer `logits`."""
        return keras.Model(self.models[0].input, logits_tensors(self.models[0])[0], name="teacher_features")

    def accuracy(self, training: Training, val: Split) -> float:
        """Return the accuracy on val, measured as that of the network that is trained."""
        metric = build_accuracy(training, ARGMAX)
        for images, labels in evaluation_batches(val.images, val.labels, evaluation_batch_size(val.images.shape[1:])):
            scores = self.probabilities(images)
            metric.update_state(labels, log_odds(scores) if self.multi_label else ops.log(ops.maximum(scores, LEAST)))
        return float(metric.result())


def load_teacher(experiment: Experiment, data: PreparedData) -> Teacher | None:
    """Load the teachers of an experiment; None if it has none.

    Raises:
        UserError: one cannot be loaded, is given twice, or does not fit the images or the classes.
    """
    distill = experiment.training.distill
    if distill is None:
        return None
    folders = [teacher_folder(name) for name in distill.checkpoints]
    problems, models, orders = [], [], []
    for position, (name, folder) in enumerate(zip(distill.checkpoints, folders, strict=True)):
        checkpoint = _loaded(folder)
        if any(folder.samefile(other) for other in folders[:position]):
            problems.append(Problem(f"{name}: is given twice", key=KEY))
        problems += [Problem(f"{name}: {reason}", key=KEY) for reason in _misfits(checkpoint, folder, experiment, data)]
        models.append(checkpoint.model)
        if not (problems or distill.features):
            orders.append(_order(checkpoint, data.class_names))
    if problems:
        raise UserError(*problems)
    digests = [digest_of_file(folder / MODEL) for folder in folders]
    return Teacher(distill.checkpoints, digests, models, orders, experiment.data.multi_label)


def teaching_record(teacher: Teacher, training: Training, val: Split, console: Console) -> dict[str, Any]:
    """Print who teaches, and how well it predicts val; return the same for the manifest, as plain JSON values."""
    accuracy = None if training.distill.features else teacher.accuracy(training, val)
    measured = "its features" if accuracy is None else f"val accuracy {accuracy:.4f}"
    console.line(f"taught by {', '.join(teacher.names)}: {measured}")
    teachers = [{"checkpoint": n, "sha256": d} for n, d in zip(teacher.names, teacher.digests, strict=True)]
    return {"teachers": teachers, "val_accuracy": accuracy}


def _loaded(folder: Path) -> Checkpoint:
    try:
        return load_checkpoint(folder)
    except UserError as error:
        raise at_key(error) from None


def _order(checkpoint: Checkpoint, class_names: list[str]) -> np.ndarray:
    place = {composed(name): position for position, name in enumerate(checkpoint.class_names)}
    return np.array([place[composed(name)] for name in class_names])


def _misfits(checkpoint: Checkpoint, folder: Path, experiment: Experiment, data: PreparedData) -> list[str]:
    """Return why a teacher cannot teach: its images are prepared in another way, or its classes are others."""
    own, problems = experiment.data.preprocessing, []
    differing = [key for key in type(own).model_fields if getattr(own, key) != getattr(checkpoint.preprocessing, key)]
    if differing:
        theirs = ", ".join(f"{key} {getattr(checkpoint.preprocessing, key)}" for key in differing)
        ours = ", ".join(f"{key} {getattr(own, key)}" for key in differing)
        problems.append(
            f"its images have {theirs}, and those of this experiment {ours}; a teacher sees the images of the network that it "
            "teaches. Train it with the same data.preprocessing; model.resize enlarges images inside a network"
        )
    bounds = [None if found is None else found.bounds for found in (checkpoint.value_range, data.value_range)]
    if bounds[0] != bounds[1]:
        ranges = ["0..255" if found is None else f"{found[0]:g}..{found[1]:g}" for found in bounds]
        problems.append(f"its stored values {ranges[0]} became 0..255, and those of the data {ranges[1]}")
    if experiment.training.distill.features:
        return problems
    if is_multi_label(folder) != experiment.data.multi_label:
        kinds = ("several labels", "one label") if is_multi_label(folder) else ("one label", "several labels")
        return [*problems, f"gives {kinds[0]} an image, and the data have {kinds[1]}"]
    theirs, ours = set(map(composed, checkpoint.class_names)), set(map(composed, data.class_names))
    if theirs != ours:
        parts = [f"only the teacher has {listing(sorted(theirs - ours))}"] if theirs - ours else []
        parts += [f"only the data have {listing(sorted(ours - theirs))}"] if ours - theirs else []
        problems.append(f"has other classes than the data: {'; '.join(parts)}; features: true does not need the same")
    return problems
