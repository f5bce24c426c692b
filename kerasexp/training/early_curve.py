"""How well the model does early on, where what it starts from shows most: between two epochs' ends, on a sample of val."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import keras
import numpy as np
import tensorflow as tf

from kerasexp.data.pipeline import evaluation_batches
from kerasexp.data.prepared_data import Split
from kerasexp.training.clock import Clock
from kerasexp.training.devices import steps_done

# An accuracy near 0.9 is known to 0.02 from so many (95 % interval), for the price of some four steps of 100 images.
IMAGES = 1000
# Whatever the experiment's seed, so that runs on the same split are judged by the same images.
SEED = 0


class EarlyCurve(keras.callbacks.Callback):
    """Judge the model after the steps in `at` (0: before the first one) and after each epoch's last; write after each.

    A row has `step`, `seconds` since the training's start (earlier looks included), `val_accuracy` and `val_loss`, the
    mean negative log likelihood. It is of the weights as they are trained, also where validation sees their running mean.
    Nothing of the training changes: no random number is drawn, and neither a weight nor one of Keras's metrics is touched.

    Args:
        classifier: the model with its probabilities.
        val: the split; at most `IMAGES` of it are looked at, always the same.
        batch_size: how many at once.
        at: steps, counted by the optimizer; those beyond the training's end are not reached.
        complementary: whether the labels say what an image is NOT, so that accuracy is estimated.
        clock: the training's.
        write: is handed all rows after each new one.
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
        # A function of its own: `evaluate` and `predict` would bring Keras's metrics and every other callback with them.
        self._probabilities = tf.function(
            lambda images: self._classifier(images, training=False), input_signature=[self._batches.element_spec]
        )
        if 0 in self._at and not self.rows:
            self._judge(0)

    def on_train_batch_end(self, batch, logs=None):
        step = steps_done(self.model.optimizer)
        # With scaled losses a step may be left out, and then there is nothing new.
        is_new = not self.rows or self.rows[-1]["step"] < step
        if is_new and (step in self._at or batch + 1 == self.params["steps"]):
            self._judge(step)

    def _judge(self, step: int) -> None:
        seconds = round(self._clock.seconds(), 3)
        scores = np.concatenate([self._probabilities(images).numpy() for images in self._batches])
        chosen = scores[np.arange(len(scores)), self._labels].astype(np.float64)
        hits = float((scores.argmax(axis=1) == self._labels).mean())
        likely = 1 - chosen if self._complementary else chosen
        self.rows.append(
            {
                "step": step,
                "seconds": seconds,
                "val_accuracy": 1 - (scores.shape[1] - 1) * hits if self._complementary else hits,
                "val_loss": float(-np.log(np.clip(likely, keras.config.epsilon(), 1)).mean()),
            }
        )
        self._write(self.rows)


def stratified_sample(labels: np.ndarray, size: int, seed: int) -> np.ndarray:
    """Return at most `size` positions in `labels` (int64 [n]), sorted; each class has its share, give or take an image."""
    shuffled = np.random.default_rng(seed).permutation(len(labels))
    by_class = shuffled[np.argsort(labels[shuffled], kind="stable")]
    size = min(size, len(labels))
    # Evenly spaced places meet each class as often as it is large.
    return np.sort(by_class[np.arange(size) * len(labels) // size])
