"""Accuracy and loss at chosen steps, also between the ends of epochs, on a sample of val."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import keras
import numpy as np
import tensorflow as tf

from kerasexp.data.label_sets import is_multi_label
from kerasexp.data.pipeline import evaluation_batches
from kerasexp.data.prepared_data import Split
from kerasexp.data.stratified_sampling import stratified_sample
from kerasexp.training.training_clock import Clock
from kerasexp.training.training_devices import steps_done

# The 95 % interval of an accuracy near 0.9 is ±0.02 with so many images; they cost as much as some four steps of 100 images.
IMAGES = 1000
# Independent of the experiment's seed, so that runs on the same split are evaluated on the same images.
SEED = 0


class EarlyCurve(keras.callbacks.Callback):
    """Evaluate the model after the steps in `at` (0: before the first one) and after each epoch's last step.

    A row has `step`, `seconds` since the training's start (earlier evaluations included), `val_accuracy` and `val_loss`,
    the mean negative log likelihood. It is computed from the trained weights, even if validation uses their moving average.
    The training is not changed: no random number is drawn, and no weight and no Keras metric is modified.

    Args:
        classifier: the model with its probabilities.
        val: the split; a fixed sample of at most `IMAGES` of it is evaluated.
        batch_size: of the evaluation.
        at: steps, as the optimizer counts them.
        complementary: whether labels name a class that is excluded, so that the accuracy is estimated.
        clock: the clock of the training.
        write: receives all rows after each new one.
    """

    def __init__(
        self,
        classifier: keras.Model,
        val: Split,
        batch_size: int,
        at: Sequence[int],
        complementary: bool,
        clock: Clock,
        write: Callable[[list[dict[str, float]]], None],
    ):
        super().__init__()
        self._classifier = classifier
        sample = val.take(stratified_sample(val.labels, IMAGES, SEED))
        self._labels = sample.labels
        self._batches = evaluation_batches(sample.images, None, batch_size)
        self._at, self._complementary, self._clock, self._write = set(at), complementary, clock, write
        self.rows: list[dict[str, float]] = []

    def on_train_begin(self, logs=None):
        # Not `evaluate` or `predict`, which would call Keras's metrics and all other callbacks.
        self._probabilities = tf.function(
            lambda images: self._classifier(images, training=False), input_signature=[self._batches.element_spec]
        )
        if 0 in self._at and not self.rows:
            self._evaluate(0)

    def on_train_batch_end(self, batch, logs=None):
        step = steps_done(self.model.optimizer)
        # Loss scaling may skip an update; the optimizer does not count such a step.
        is_new = not self.rows or self.rows[-1]["step"] < step
        if is_new and (step in self._at or batch + 1 == self.params["steps"]):
            self._evaluate(step)

    def _evaluate(self, step: int) -> None:
        seconds = round(self._clock.seconds(), 3)
        scores = np.concatenate([self._probabilities(images).numpy() for images in self._batches])
        if is_multi_label(self._labels):
            hits = float(((scores >= 0.5) == self._labels).all(axis=1).mean())
            likelihoods = np.where(self._labels, scores, 1 - scores).astype(np.float64)
        else:
            label_scores = scores[np.arange(len(scores)), self._labels].astype(np.float64)
            hits = float((scores.argmax(axis=1) == self._labels).mean())
            likelihoods = 1 - label_scores if self._complementary else label_scores
        self.rows.append(
            {
                "step": step,
                "seconds": seconds,
                "val_accuracy": 1 - (scores.shape[1] - 1) * hits if self._complementary else hits,
                "val_loss": float(-np.log(np.clip(likelihoods, keras.config.epsilon(), 1)).mean()),
            }
        )
        self._write(self.rows)
