"""The model that a training begins with: seeded, in its number format, on its devices, with the weights it starts from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import keras
import tensorflow as tf

from kerasexp.config import Experiment
from kerasexp.data.prepared_data import PreparedData
from kerasexp.models import build_classifier
from kerasexp.saving.checkpoint import load_checkpoint
from kerasexp.training.devices import names_of, strategy_of
from kerasexp.training.fine_tuning import freeze_below
from kerasexp.training.initial_weights import start_from
from kerasexp.training.precision import choose_precision, make_deterministic, use_precision
from kerasexp.training.pretrained_weights import load_pretrained


@dataclass(frozen=True)
class InitialModel:
    """A classifier that is ready to be trained.

    Attributes:
        classifier: from uint8 images to probabilities.
        strategy: the devices that train it.
        precision: the dtype policy of its layers.
        weights: where weights from a file are from; None without such.
        copied: names of the layers that have the upstream model's weights.
    """

    classifier: keras.Model
    strategy: tf.distribute.Strategy
    precision: str
    weights: dict[str, str] | None
    copied: list[str]

    @property
    def devices(self) -> list[str]:
        return names_of(self.strategy)


def build_model(experiment: Experiment, data: PreparedData, upstream: Path | None) -> InitialModel:
    """Build the model of an experiment; nothing is written.

    Args:
        experiment: resolved and validated.
        data: whose classes it tells apart.
        upstream: the checkpoint that it starts from, or None.

    Raises:
        UserError: weights are not to be had or do not fit, or a layer to freeze or a device is not there.
    """
    # Seeds and number format come before the first weight is drawn.
    keras.utils.set_random_seed(experiment.seed)
    make_deterministic()
    precision = choose_precision(experiment.training.precision)
    use_precision(precision)
    strategy = strategy_of(experiment, data.train_counts)
    with strategy.scope():
        classifier = build_classifier(experiment, data.class_names, data.train_counts)
        weights = load_pretrained(classifier, experiment.model)
        copied = [] if upstream is None else start_from(classifier, load_checkpoint(upstream).model, experiment.init)
        freeze_below(classifier, experiment.training.fine_tune)
    return InitialModel(classifier, strategy, precision, weights, copied)
