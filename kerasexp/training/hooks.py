"""Every replacement of a method of a Keras object. Keras offers no hook at these places.

A method is replaced on one object. A subclass would change the class that is saved with the object.

`average_after_steps` belongs to the making of an optimizer, `replace_train_step` to the compiled model. A training installs the
others in this order, which `tests/training/test_hooks.py` checks:

1. `replace_call` (fused batch normalisation) before `compile`: a training step keeps the calls that it was traced with.
2. `scale_learning_rates` (depth decay) once the optimizer is built: before, its variables have no index.
3. `wrap_apply` (gradient flow) on the optimizer itself; `compile` may put one around it that scales the loss.
4. `sum_gradients` (several devices) after 3, and so around it: 3 observes the sums over all devices.
5. `skip_steps` (resuming within an epoch) in `on_train_begin`: `fit` makes the function that it replaces just before.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from types import MethodType
from typing import Any

import keras
import tensorflow as tf

Apply = Callable[..., None]


def replace_call(layer: keras.layers.Layer, call: Callable[..., Any]) -> None:
    """Let a layer compute `call(layer, inputs, training, mask)`; `type(layer).call` is still the original."""
    layer.call = MethodType(call, layer)


def scale_learning_rates(
    optimizer: keras.optimizers.Optimizer, factors: Iterable[tuple[keras.Variable, float]], begin: int = 0
) -> None:
    """Multiply the learning rate of these variables by their factors, in each step. Decay of the weights is not scaled.

    Args:
        optimizer: built on these variables.
        factors: of the variables that do not keep the full rate.
        begin: the step before which they stay as they are.
    """
    index = optimizer._get_variable_index  # by which Keras's optimizers look up their moments
    by_index = {index(variable): factor for variable, factor in factors}
    update_step = optimizer.update_step

    def scaled_step(gradient, variable, learning_rate):
        factor = by_index.get(index(variable))
        if factor is None:
            update_step(gradient, variable, learning_rate)
            return
        begun = keras.ops.cast(optimizer.iterations >= begin, learning_rate.dtype) if begin else 1.0
        update_step(gradient, variable, learning_rate * factor * begun)

    optimizer.update_step = scaled_step
    if begin and optimizer.weight_decay:
        _decay_later(optimizer, by_index.keys(), begin)


def _decay_later(optimizer: keras.optimizers.Optimizer, later: Collection[int], begin: int) -> None:
    """Let the weights of variables with these indices decay from the step `begin` on."""
    index, decay = optimizer._get_variable_index, optimizer._apply_weight_decay
    # Muon has a decay of its own for the weights that it leaves to Adam.
    full = {name: rate for name in ("weight_decay", "adam_weight_decay") if (rate := getattr(optimizer, name, None))}

    def decay_some(variables):
        decay([variable for variable in variables if index(variable) not in later])
        begun = keras.ops.cast(optimizer.iterations >= begin, "float32")
        for name, rate in full.items():
            setattr(optimizer, name, rate * begun)
        decay([variable for variable in variables if index(variable) in later])
        for name, rate in full.items():
            setattr(optimizer, name, rate)

    optimizer._apply_weight_decay = decay_some


def replace_train_step(model: keras.Model, train_step: Callable[..., Any]) -> None:
    """Let a model train on a batch by `train_step(model, data)`; `fit` makes its function of it when it begins."""
    model.train_step = MethodType(train_step, model)


def wrap_apply(optimizer: keras.optimizers.Optimizer, wrap: Callable[[Apply], Apply]) -> None:
    """Replace `optimizer.apply(gradients, variables)`, which every training step calls, by what `wrap` makes of it."""
    optimizer.apply = wrap(optimizer.apply)


def average_after_steps(optimizer: keras.optimizers.Optimizer) -> None:
    """Let the moving average of the weights follow the steps of an optimizer that accumulates; Keras's follows batches."""
    average = optimizer._update_model_variables_moving_average

    def average_or_not(variables):
        is_step = keras.ops.equal((optimizer._iterations + 1) % optimizer.gradient_accumulation_steps, 0)
        keras.ops.cond(is_step, lambda: average(variables), lambda: None)

    optimizer._update_model_variables_moving_average = average_or_not


def sum_gradients(optimizer: keras.optimizers.Optimizer) -> None:
    """Let `apply` receive the sum of all devices' gradients; Keras sums later, after each device has clipped its own."""

    def summed(apply: Apply) -> Apply:
        def apply_sums(grads, trainable_variables=None):
            context, total = tf.distribute.get_replica_context(), tf.distribute.ReduceOp.SUM
            apply(context.all_reduce(total, list(grads)), trainable_variables)

        return apply_sums

    wrap_apply(optimizer, summed)
    optimizer._all_reduce_sum_gradients = lambda grads_and_vars: grads_and_vars


def skip_steps(model: keras.Model, steps: int) -> None:
    """Let `fit` count its first steps without computing them: it can only begin with a whole epoch.

    `steps` is a multiple of the steps that the model takes in one call.
    """
    train, left = model.train_function, steps

    def train_or_skip(iterator):
        nonlocal left
        if left == 0:
            return train(iterator)
        left -= model.steps_per_execution
        return model.get_metrics_result()

    model.train_function = train_or_skip
