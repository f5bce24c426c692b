"""The size of gradients and updates, layer by layer, recorded within the training's own steps."""

from __future__ import annotations

import math
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from kerasexp.training import hooks
from kerasexp.training.gradient_record import Gradients
from kerasexp.training.training_devices import ON_EACH_DEVICE, steps_done

# The number of recorded steps: enough to show how a training proceeds; recording all of them would cost time.
SAMPLES = 100


class GradientFlow(keras.callbacks.Callback):
    """Record each layer's gradients and update at up to `SAMPLES` evenly spaced steps.

    A layer is recorded if it has a trainable kernel, a variable of two or more axes; several kernels count as one. Its
    gradients are those that the optimizer receives: unscaled under mixed precision, and not yet clipped. Its update is
    everything that the step changed, including clipping and weight decay (per layer as in Glorot and Bengio, AISTATS 2010).

    The training step computes these gradients anyway and passes them to `optimizer.apply`, where they are recorded as part
    of the step's graph. Of accumulated gradients, those of the last batch are recorded. A recorded step needs no second
    backward pass, and every other step only a comparison. The cost is a copy of the kernels in memory.

    Args:
        model: built, with its layers frozen as requested.
        optimizer: the one with the update rule, not one around it that scales the loss.
        total_steps: the planned number of steps of the optimizer, which sets the distance between two samples.
        write: receives all `rows` at the end of each epoch.
    """

    def __init__(
        self,
        model: keras.Model,
        optimizer: keras.optimizers.Optimizer,
        total_steps: int,
        write: Callable[[list[dict[str, str | int | float]]], None],
    ):
        super().__init__()
        trainable = {layer.name: layer.trainable_variables for layer in model.layers}
        kernels = {name: [v for v in variables if len(v.shape) > 1] for name, variables in trainable.items()}
        self._kernels = {name: found for name, found in kernels.items() if found}
        self._every = math.ceil(total_steps / SAMPLES)
        self._optimizer, self._write = optimizer, write
        # These variables belong to neither the model nor the optimizer, so that no checkpoint holds them.
        self._before = {
            name: [_variable(tf.zeros(kernel.shape, kernel.dtype)) for kernel in found]
            for name, found in self._kernels.items()
        }
        self._samples = _variable(tf.zeros((SAMPLES, len(self._kernels), 3)))
        self._smallest = [
            min(trainable[name], key=lambda variable: math.prod(variable.shape)) for name in self._kernels
        ]
        self._first_non_finite = _variable(tf.zeros(len(self._kernels), tf.int64))
        if self._kernels:
            hooks.wrap_apply(optimizer, self._recording)

    def gradients(self) -> Gradients:
        """Return what has been recorded so far."""
        done = steps_done(self._optimizer) if self._kernels else 0
        steps = np.arange(1, done + 1, self._every)[:SAMPLES]
        mean, largest, ratio = np.moveaxis(self._samples.numpy()[: len(steps)], -1, 0)
        return Gradients(steps, list(self._kernels), mean, largest, ratio)

    def rows(self) -> list[dict[str, str | int | float]]:
        """Return the same as one row per step and layer.

        A row has `step`, `layer`, `mean_gradient`, `max_gradient` and `update_ratio`.
        """
        found = self.gradients()
        samples = zip(*(a.tolist() for a in (found.steps, found.mean, found.largest, found.ratio)), strict=True)
        return [
            {"step": step, "layer": layer, "mean_gradient": mean, "max_gradient": largest, "update_ratio": ratio}
            for step, *metrics in samples
            for layer, mean, largest, ratio in zip(found.layers, *metrics, strict=True)
        ]

    def first_non_finite(self) -> tuple[str, int] | None:
        """Return the layer and the step, from 1, of the first gradient that was NaN or infinite; None if there is none.

        If several layers' gradients became so in one step, return the layer nearest the output, where it spreads from.
        """
        steps = self._first_non_finite.numpy()
        if not steps.any():
            return None
        first = int(steps[steps > 0].min())
        return list(self._kernels)[int(np.flatnonzero(steps == first)[-1])], first

    def state(self) -> dict[str, np.ndarray]:
        """Return what another process needs to continue recording."""
        samples, first = self._samples.numpy(), self._first_non_finite.numpy()
        return {"samples": samples, "every": np.array(self._every), "first_non_finite": first}

    def restore(self, samples: np.ndarray, every: np.ndarray, first_non_finite: np.ndarray) -> None:
        """Load a `state`; if more steps are planned now, so that samples lie further apart, take the nearest ones."""
        nearest = np.minimum(np.arange(SAMPLES) * self._every // int(every), SAMPLES - 1)
        self._samples.assign(samples[nearest])
        self._first_non_finite.assign(first_non_finite)

    def on_epoch_end(self, epoch, logs=None):
        if rows := self.rows():
            self._write(rows)

    def _recording(self, apply: hooks.Apply) -> hooks.Apply:
        """Return `apply` with recording before and after it."""

        def recording(grads, trainable_variables):
            done = tf.identity(keras.ops.convert_to_tensor(self._optimizer.iterations))
            is_sample = tf.equal(done % self._every, 0)
            # A variable that a layer of a user's creates and does not use has no gradient.
            pairs = zip(trainable_variables, grads, strict=True)
            gradients = {id(v): tf.zeros(v.shape, v.dtype) if gradient is None else gradient for v, gradient in pairs}
            self._check_finite(done, gradients)
            tf.cond(is_sample, self._copy_weights, lambda: None)
            apply(grads, trainable_variables)
            # Gradients are read here: read earlier, the first update would wait for the last gradient.
            tf.cond(is_sample, lambda: self._record(done // self._every, gradients), lambda: None)

        return recording

    def _check_finite(self, done: tf.Tensor, gradients: dict[int, tf.Tensor]) -> None:
        # A NaN anywhere in a layer's gradients is also in that of its bias, which is small enough to check at each step.
        sums = tf.stack([tf.cast(tf.reduce_sum(gradients[id(v)]), tf.float32) for v in self._smallest])
        new = tf.logical_and(tf.logical_not(tf.math.is_finite(sums)), tf.equal(self._first_non_finite, 0))
        self._first_non_finite.assign(tf.where(new, tf.cast(done + 1, tf.int64), self._first_non_finite))

    def _copy_weights(self) -> None:
        for name, kernels in self._kernels.items():
            for before, kernel in zip(self._before[name], kernels, strict=True):
                before.assign(kernel.value)

    def _record(self, number: tf.Tensor, gradients: dict[int, tf.Tensor]) -> None:
        sample = []
        for name, kernels in self._kernels.items():
            gradient = tf.abs(_flat([gradients[id(kernel)] for kernel in kernels]))
            before = _flat(self._before[name])
            change = _flat([kernel.value for kernel in kernels]) - before
            ratio = tf.norm(change) / tf.norm(before)
            sample.append(tf.stack([tf.reduce_mean(gradient), tf.reduce_max(gradient), ratio]))
        # A `where` is deterministic on every device, which a scatter is not; a step beyond the plan is written nowhere.
        here = tf.range(SAMPLES, dtype=number.dtype)[:, tf.newaxis, tf.newaxis] == number
        self._samples.assign(tf.where(here, tf.stack(sample), self._samples))


def _variable(value: tf.Tensor) -> tf.Variable:
    return tf.Variable(value, trainable=False, **ON_EACH_DEVICE)


def _flat(values: list[tf.Tensor]) -> tf.Tensor:
    return tf.concat([tf.reshape(value, [-1]) for value in values], axis=0)
