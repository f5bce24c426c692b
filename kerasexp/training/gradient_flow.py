"""How large the gradients are and how far they move the weights, layer by layer, noted within the training's own steps."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf

from kerasexp.training.devices import OF_THE_FIRST, steps_done

# So many steps show how a training goes; noting every one would cost time and say little more.
SAMPLES = 100


@dataclass(frozen=True)
class Gradients:
    """Each layer's gradients and updates at some steps; infinite or NaN where a training blew up.

    Attributes:
        steps: int64 [s], from 1.
        layers: those that train a kernel, from input to output.
        mean, largest: of the absolute gradient, float32 [s, layers].
        ratio: of the step's length to that of the weights, ‖Δw‖/‖w‖, float32 [s, layers].
    """

    steps: np.ndarray
    layers: list[str]
    mean: np.ndarray
    largest: np.ndarray
    ratio: np.ndarray


NO_GRADIENTS = Gradients(np.zeros(0, np.int64), [], *(np.zeros((0, 0), np.float32) for _ in range(3)))


class GradientFlow(keras.callbacks.Callback):
    """At up to `SAMPLES` evenly spaced steps, note each layer's gradients and update.

    A layer is noted if it trains a kernel, which is a variable of two or more axes; several of them count as one. Its
    gradients are those that the optimizer is given: unscaled under mixed precision, and not yet clipped. Its update is
    all that the step changed, clipping and weight decay included (per layer as in Glorot and Bengio, AISTATS 2010).

    The training computes these gradients anyway and hands them to `optimizer.apply`, which is where this listens. That
    is part of the step's own graph, so a noted step needs no second backward pass, and of the others a comparison is
    all that is left. The cost is a copy of the kernels in memory.

    Args:
        model: built, with the layers frozen that are to be.
        optimizer: the one with the update rule, where another one wraps it to scale the loss.
        total_steps: how many are planned; they set the distance between two samples.
        write: is handed all `rows` at the end of each epoch.
    """

    def __init__(
        self,
        model: keras.Model,
        optimizer: keras.optimizers.Optimizer,
        total_steps: int,
        write: Callable[[list[dict[str, str | int | float]]], None],
    ):
        super().__init__()
        trained = {layer.name: [v for v in layer.trainable_variables if len(v.shape) > 1] for layer in model.layers}
        self._kernels = {name: kernels for name, kernels in trained.items() if kernels}
        self._every = math.ceil(total_steps / SAMPLES)
        self._optimizer, self._write = optimizer, write
        # Variables of neither the model nor the optimizer, so that no checkpoint holds them.
        self._before = {name: [_like(kernel) for kernel in kernels] for name, kernels in self._kernels.items()}
        self._samples = _noted(tf.zeros((SAMPLES, len(self._kernels), 3)))
        self._watched = {
            name: min(layer.trainable_variables, key=_size) for name, layer in _layers(model, self._kernels)
        }
        self._broke = _noted(tf.zeros(len(self._kernels), tf.int64))
        if self._kernels:
            # On the instance: a subclass would change what the optimizer is, and with it how it is saved.
            optimizer.apply = self._listening(optimizer.apply)

    def gradients(self) -> Gradients:
        """Return what was noted so far."""
        done = steps_done(self._optimizer) if self._kernels else 0
        steps = np.arange(1, done + 1, self._every)[:SAMPLES]
        mean, largest, ratio = np.moveaxis(self._samples.numpy()[: len(steps)], -1, 0)
        return Gradients(steps, list(self._kernels), mean, largest, ratio)

    def rows(self) -> list[dict[str, str | int | float]]:
        """Return the same in long form, by step and then by layer.

        A row has `step`, `layer`, `mean_gradient`, `max_gradient` and `update_ratio`.
        """
        noted = self.gradients()
        samples = zip(*(a.tolist() for a in (noted.steps, noted.mean, noted.largest, noted.ratio)), strict=True)
        return [
            {"step": step, "layer": layer, "mean_gradient": mean, "max_gradient": largest, "update_ratio": ratio}
            for step, *figures in samples
            for layer, mean, largest, ratio in zip(noted.layers, *figures, strict=True)
        ]

    def broke(self) -> tuple[str, int] | None:
        """Return the layer whose gradient was the first that was not finite, and the step, from 1; None if all were.

        Of those that broke in the same step it is the one nearest the output, from which the others have it.
        """
        steps = self._broke.numpy()
        if not steps.any():
            return None
        first = int(steps[steps > 0].min())
        return list(self._kernels)[int(np.flatnonzero(steps == first)[-1])], first

    def remember(self) -> dict[str, np.ndarray]:
        """Return what another process needs to go on noting."""
        return {"samples": self._samples.numpy(), "every": np.array(self._every), "broke": self._broke.numpy()}

    def recall(self, samples: np.ndarray, every: np.ndarray, broke: np.ndarray) -> None:
        """Take over what `remember` gave; after a longer plan, of which the samples lie further apart, the nearest ones."""
        places = np.minimum(np.arange(SAMPLES) * self._every // int(every), SAMPLES - 1)
        self._samples.assign(samples[places])
        self._broke.assign(broke)

    def on_epoch_end(self, epoch, logs=None):
        if rows := self.rows():
            self._write(rows)

    def _listening(self, apply: Callable) -> Callable:
        """Return `apply` with a look at the weights before it and one at everything after it."""

        def listening(grads, trainable_variables):
            done = tf.identity(self._optimizer.iterations.value)
            wanted = tf.equal(done % self._every, 0)
            gradients = {id(v): gradient for v, gradient in zip(trainable_variables, grads, strict=True)}
            self._look_for_breaks(done, gradients)
            tf.cond(wanted, self._keep_weights, lambda: None)
            apply(grads, trainable_variables)
            # The gradients are read here and not before, where the first update would wait for the last of them.
            tf.cond(wanted, lambda: self._note(done // self._every, gradients), lambda: None)

        return listening

    def _look_for_breaks(self, done: tf.Tensor, gradients: dict[int, tf.Tensor]) -> None:
        # A NaN anywhere in a layer's gradient is in that of its bias too, which is small enough to be looked at each step.
        sums = tf.stack([tf.cast(tf.reduce_sum(gradients[id(v)]), tf.float32) for v in self._watched.values()])
        new = tf.logical_and(tf.logical_not(tf.math.is_finite(sums)), tf.equal(self._broke, 0))
        self._broke.assign(tf.where(new, tf.cast(done + 1, tf.int64), self._broke))

    def _keep_weights(self) -> None:
        for name, kernels in self._kernels.items():
            for before, kernel in zip(self._before[name], kernels, strict=True):
                before.assign(kernel.value)

    def _note(self, number: tf.Tensor, gradients: dict[int, tf.Tensor]) -> None:
        sample = []
        for name, kernels in self._kernels.items():
            gradient = tf.abs(_flat([gradients[id(kernel)] for kernel in kernels]))
            before = _flat(self._before[name])
            change = _flat([kernel.value for kernel in kernels]) - before
            ratio = tf.norm(change) / tf.norm(before)
            sample.append(tf.stack([tf.reduce_mean(gradient), tf.reduce_max(gradient), ratio]))
        # Chosen rather than scattered: that is deterministic on every device, and a step beyond the plan falls nowhere.
        here = tf.range(SAMPLES, dtype=number.dtype)[:, tf.newaxis, tf.newaxis] == number
        self._samples.assign(tf.where(here, tf.stack(sample), self._samples))


def _layers(model: keras.Model, kernels: dict) -> list[tuple[str, keras.layers.Layer]]:
    return [(layer.name, layer) for layer in model.layers if layer.name in kernels]


def _size(variable: keras.Variable) -> int:
    return int(np.prod(variable.shape))


def _like(kernel: keras.Variable) -> tf.Variable:
    return _noted(tf.zeros(kernel.shape, kernel.dtype))


def _noted(value: tf.Tensor) -> tf.Variable:
    return tf.Variable(value, trainable=False, **OF_THE_FIRST)


def _flat(values: list[tf.Tensor]) -> tf.Tensor:
    return tf.concat([tf.reshape(value, [-1]) for value in values], axis=0)
