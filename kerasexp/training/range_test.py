"""The range test of learning rates: a short training whose rate rises with each batch (Smith, WACV 2017)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import keras
import numpy as np

from kerasexp.config import Experiment
from kerasexp.config.schedule_section import Constant
from kerasexp.config.training_section import FineTune, Training
from kerasexp.console import Console
from kerasexp.data.epoch_sampling import Sampling
from kerasexp.data.images_in_files import reading_errors
from kerasexp.data.pipeline import training_batches
from kerasexp.data.prepared_data import PreparedData
from kerasexp.training.fit import compiled_model, shown_class_weights
from kerasexp.training.frozen_features import head_on_features
from kerasexp.training.initial_model import InitialModel

# Weight of the past in the smoothed loss; the test ends where the smoothed loss is so many times its lowest value.
SMOOTHING, DIVERGED = 0.9, 4.0
# The suggestion is this share of the rate with the lowest loss, beyond which a training is about to diverge.
SHARE = 0.1
# At the lowest rates nothing is learned. A lowest loss within this share of the batches shows no fall.
BEGINNING = 0.1


@dataclass(frozen=True)
class RangeTest:
    """The loss of each batch at its learning rate.

    Attributes:
        rates: float64 [n], rising.
        losses: float64 [n], of the batch, before its step.
        smoothed: float64 [n], their moving average; that of a loss is as long as all before it.
        diverged: whether the test ended before the highest rate because the loss rose.
    """

    rates: np.ndarray
    losses: np.ndarray
    smoothed: np.ndarray
    diverged: bool

    @property
    def lowest(self) -> int:
        """The position of the lowest smoothed loss."""
        return int(np.argmin(self.smoothed))

    @property
    def suggestion(self) -> float | None:
        """A tenth of the rate with the lowest loss, with two digits; None if the loss does not fall or does not rise again."""
        if self.lowest < BEGINNING * len(self.rates) or not self._has_risen:
            return None
        return float(f"{SHARE * self.rates[self.lowest]:.2g}")

    @property
    def explanation(self) -> str:
        """A sentence on what was found."""
        rate = f"{self.rates[self.lowest]:.2g}"
        if self.suggestion is not None:
            return f"the loss is lowest at {rate}; a tenth of it is where to begin, also as the peak of a schedule"
        if not self._has_risen:
            return f"the loss still falls at {rate}, the end of the range; try a higher --highest"
        return f"the loss does not fall from the lowest rate on, {self.rates[0]:.2g}; try a lower --lowest"

    @property
    def _has_risen(self) -> bool:
        return self.diverged or self.lowest < len(self.rates) - 1


def range_test(
    model: InitialModel,
    data: PreparedData,
    experiment: Experiment,
    limits: tuple[float, float],
    steps: int,
    console: Console,
) -> RangeTest:
    """Train with a rate that rises evenly, in its logarithm, from the first limit to the second; nothing is saved.

    The batches are those of the experiment's training, and follow from its seed. The schedule, an average of the weights and
    epochs of the head alone are left out.

    Args:
        model: ready for training; its weights change.
        data: the data of the experiment.
        experiment: its training.
        limits: the lowest and the highest rate.
        steps: the number of batches.
        console: shows the progress.

    Raises:
        RunError: with `data.cache: none`, an image could not be read.
    """
    training = _without_course(experiment.training)
    experiment = experiment.model_copy(update={"training": training})
    with model.strategy.scope(), reading_errors(*(split.images for split in data.training_splits.values())):
        part, splits = head_on_features(model.classifier, data.training_splits, experiment, console)
        sampling = Sampling.of(experiment)
        per_epoch = sampling.size(data.training_counts, len(splits["train"])).steps
        trained, optimizer = compiled_model(part, experiment, data, per_epoch, model.teacher)
        weights = shown_class_weights(training, data, console)
        augmentation, epochs, classes = experiment.data.augmentation, -(-steps // per_epoch), len(data.class_names)
        batches = training_batches(splits["train"], sampling, experiment.seed, augmentation, epochs, classes=classes)
        rates = np.geomspace(*limits, steps)
        return _measured(trained, optimizer, batches.take(steps), rates, weights, console)


def _measured(
    model: keras.Model,
    optimizer: keras.optimizers.Optimizer,
    batches,
    rates: np.ndarray,
    weights: dict[int, float] | None,
    console: Console,
) -> RangeTest:
    losses, smoothed, average, diverged = [], [], 0.0, False
    with console.bar("learning rates", len(rates)) as bar:
        for number, (rate, (images, labels, *_)) in enumerate(zip(rates, batches, strict=True), start=1):
            optimizer.learning_rate = float(rate)
            model.reset_metrics()  # Keras returns means over batches
            loss = float(model.train_on_batch(images, labels, class_weight=weights, return_dict=True)["loss"])
            if not math.isfinite(loss):
                diverged = True
                break
            average = SMOOTHING * average + (1 - SMOOTHING) * loss
            losses.append(loss)
            smoothed.append(average / (1 - SMOOTHING**number))
            bar.advance(number)
            if smoothed[-1] > DIVERGED * min(smoothed):
                diverged = True
                break
    return RangeTest(rates[: len(losses)], np.array(losses), np.array(smoothed), diverged)


def _without_course(training: Training) -> Training:
    fine_tune = training.fine_tune.model_copy(update={"head_epochs": FineTune.model_fields["head_epochs"].default})
    ema = training.optimizer.model_copy(update={"ema": None})
    changes = {"schedule": Constant(), "optimizer": ema, "average": None, "fine_tune": fine_tune}
    return training.model_copy(update=changes)
