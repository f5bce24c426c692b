"""The model before training: seeded, in its number format, on its devices, with its initial weights."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import keras
import tensorflow as tf

from kerasexp.config import Experiment
from kerasexp.config.custom_code import CustomModel
from kerasexp.config.loss_section import CustomLoss
from kerasexp.console import Console
from kerasexp.data.custom_augmentation import custom_changes
from kerasexp.data.prepared_data import PreparedData
from kerasexp.losses import build_loss
from kerasexp.models import build_classifier, family_of
from kerasexp.saving.checkpoint import load_checkpoint
from kerasexp.saving.checkpoint_code import reason_for_code
from kerasexp.training.custom_callbacks import custom_callbacks
from kerasexp.training.fine_tuning import freeze_below
from kerasexp.training.initial_weights import start_from
from kerasexp.training.precision import choose_precision, make_deterministic, use_precision
from kerasexp.training.pretrained_weights import load_pretrained
from kerasexp.training.teacher import Teacher, load_teacher
from kerasexp.training.training_devices import device_names, strategy_of


@dataclass(frozen=True)
class InitialModel:
    """A classifier that is ready for training.

    Attributes:
        classifier: from uint8 images to probabilities.
        strategy: distributes the training over devices.
        precision: the dtype policy of its layers.
        weights: the origin of pretrained weights; None without such.
        copied: names of the layers with weights of the upstream model.
        teacher: what it is to learn from beside the labels; None without a teacher.
        code_reason: why a checkpoint needs a user's code to be loaded; None if it does not.
    """

    classifier: keras.Model
    strategy: tf.distribute.Strategy
    precision: str
    weights: dict[str, str] | None
    copied: list[str]
    teacher: Teacher | None = None
    code_reason: str | None = None

    @property
    def devices(self) -> list[str]:
        return device_names(self.strategy)


def build_model(experiment: Experiment, data: PreparedData, upstream: Path | None, console: Console) -> InitialModel:
    """Build the model of an experiment; nothing is written.

    Args:
        experiment: resolved and validated.
        data: the data, for its classes and their numbers of images.
        upstream: the checkpoint of the upstream run, or None.
        console: where it is printed if weights are not quite those that were asked for.

    Raises:
        UserError: weights or teachers are not available or do not fit, or a layer to freeze does not exist, or the devices do
            not fit, or code of a user's does not do what it must.
        CodeError: such code raised an exception.
    """
    # Seeds and number format are set before the first weight is drawn.
    keras.utils.set_random_seed(experiment.seed)
    make_deterministic()
    precision = choose_precision(experiment.training.precision)
    use_precision(precision)
    strategy = strategy_of(experiment, data.train_counts, len(data.splits["train"]))
    with strategy.scope():
        classifier = build_classifier(experiment, data.class_names, data.train_counts)
        weights = load_pretrained(classifier, experiment.model, console)
        copied = [] if upstream is None else start_from(classifier, load_checkpoint(upstream).model, experiment.init)
        freeze_below(classifier, family_of(experiment.model), experiment.training.fine_tune)
        teacher = load_teacher(experiment, data)
    reason = reason_for_code(classifier) if isinstance(experiment.model, CustomModel) else None
    try_out_code(experiment, data)
    return InitialModel(classifier, strategy, precision, weights, copied, teacher, reason)


def try_out_code(experiment: Experiment, data: PreparedData) -> None:
    """Call what a user's code adds to a training once, so that its faults are found before anything is written."""
    if isinstance(experiment.training.loss, CustomLoss):
        build_loss(experiment.training.loss, data.train_counts)
    if experiment.data.augmentation is not None:
        custom_changes(experiment.data.augmentation.layers, data.splits["train"].images.shape[1:])
    custom_callbacks(experiment.training.callbacks)
