"""Averages of the weights over a training, which are validated and saved in place of the weights."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import keras
import numpy as np
import tensorflow as tf

from kerasexp.config import Experiment
from kerasexp.config.average_section import Swa
from kerasexp.data.epoch_sampling import Sampling
from kerasexp.data.pipeline import training_batches
from kerasexp.data.prepared_data import Split
from kerasexp.data.stratified_sampling import stratified_sample
from kerasexp.training.training_devices import norms_of, value_of

# Training images from which the statistics of batch normalisation are estimated anew, and the seed of their choice. They cost a
# forward pass each, and leave an error of 1 % of a deviation.
IMAGES, SEED = 10_000, 0


class WeightAverage(keras.callbacks.Callback):
    """Validate and save an average of the weights; the training itself continues from the weights as they are.

    The statistics of batch normalisation belong to the weights they were measured with, and those of an average are measured
    anew: on a sample of train, augmented as in training, in batches as large (Izmailov et al. 2018, section 3.2). The average is
    in the model from the beginning of each validation to the next epoch, so that it must come before the callbacks that save.

    `variables` hold the mean of `swa`. A moving average, of `average: ema` or `optimizer.ema`, is that of the optimizer; with
    `optimizer.ema` the statistics stay those of the weights.

    Args:
        model: compiled, its optimizer built; with `training.average`, trained on one device.
        optimizer: the one with the update rule.
        experiment: its `training`, and how its batches are made.
        train: the images that are learned from.
    """

    def __init__(self, model: keras.Model, optimizer: keras.optimizers.Optimizer, experiment: Experiment, train: Split):
        super().__init__()
        self.variables: list[tf.Variable] = []
        self._trained, self._optimizer, self._training = model, optimizer, experiment.training
        self._norms = [norm for norm in norms_of(model) if norm.trainable] if self._training.average is not None else []
        if isinstance(self._training.average, Swa):
            self.variables = [tf.Variable(tf.zeros(v.shape, v.dtype)) for v in model.trainable_variables]
        if self._norms:
            sample = train.take(stratified_sample(train.labels, IMAGES, SEED))
            sampling, augmentation = Sampling.of(experiment), experiment.data.augmentation
            classes = model.outputs[0].shape[-1]
            self._batches = training_batches(sample, sampling, experiment.seed, augmentation, 1, classes=classes)
        self._epoch, self._weights = 0, None

    def on_epoch_begin(self, epoch, logs=None):
        self._epoch = epoch
        self._put_back()

    def on_test_begin(self, logs=None):
        if self._weights is not None:  # of another evaluation within the same epoch
            return
        average = self._average()
        if average is None:
            return
        self._weights = [(variable, np.array(value_of(variable))) for variable in self._state()]
        for variable, value in zip(self._trained.trainable_variables, average, strict=True):
            variable.assign(value)
        if self._norms:
            self._measure_statistics()

    def on_train_end(self, logs=None):
        # The state from which more epochs continue is saved after this.
        self._put_back()

    def _average(self) -> list[tf.Tensor | np.ndarray] | None:
        """Return the average of the trainable variables; None before it begins."""
        average = self._training.average
        if not isinstance(average, Swa):
            return [value_of(variable) for variable in self._optimizer._model_variables_moving_average]
        # By the epoch: a training of fewer epochs that goes on has averaged some that are now too early.
        count = self._epoch + 1 - int(average.start * self._training.epochs)
        if count < 1:
            return None
        for mean, variable in zip(self.variables, self._trained.trainable_variables, strict=True):
            mean.assign(variable.value if count == 1 else mean + (variable.value - mean) / count)
        return self.variables

    def _state(self) -> Iterator[keras.Variable]:
        """Yield what an average or a forward pass changes: all variables but those of metrics, which belong to an epoch."""
        metrics = {id(variable) for metric in self._trained.metrics for variable in metric.variables}
        yield from (variable for variable in self._trained.variables if id(variable) not in metrics)

    def _put_back(self) -> None:
        for variable, value in self._weights or ():
            variable.assign(value)
        self._weights = None

    def _measure_statistics(self) -> None:
        """Let the moving statistics be the mean of those of the batches."""
        kept = tf.Variable(0.0)
        forward = tf.function(
            lambda images: self._trained(images, training=True), input_signature=[self._batches.element_spec[0]]
        )
        with _momentum(self._norms, kept):
            for number, (images, *_) in enumerate(self._batches):
                kept.assign(number / (number + 1))
                forward(images)


@contextmanager
def _momentum(norms: list[keras.layers.BatchNormalization], momentum: tf.Variable) -> Iterator[None]:
    """Let batch normalisations keep this share of their moving statistics in each batch during the block."""
    before = [layer.momentum for layer in norms]
    try:
        for layer in norms:
            layer.momentum = momentum
        yield
    finally:
        for layer, value in zip(norms, before, strict=True):
            layer.momentum = value
