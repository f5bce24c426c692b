"""How many training steps TensorFlow takes in one call, before it returns to Python."""

from __future__ import annotations

import math

import keras
import tensorflow as tf

from kerasexp.config.training_section import Training
from kerasexp.console import Console
from kerasexp.models.flops import flops

# Each call costs one to two milliseconds of Python. Steps are put together until they have so many operations, which take a CPU
# of two cores some 10 ms; of larger networks, each step is a call, after which progress is shown and a stop is noticed.
OPERATIONS = {"CPU": 1e9, "GPU": 100e9}
MOST = 20
# The graph of a loop takes a quarter of a second to build, which shorter trainings do not save again.
LEAST_STEPS = 300
# A backward pass has about twice the operations of a forward pass.
PASSES = 3


def put_steps_together(trained: keras.Model, number: int, console: Console) -> None:
    """Let `fit` take so many steps of a compiled model in one call, and say so."""
    trained.steps_per_execution = number
    if number > 1:
        console.line(f"TensorFlow takes {number} short steps in each call")


def steps_at_once(model: keras.Model, training: Training, steps: int, begin: int) -> int:
    """Return how many steps of `model` to take in one call; the weights are the same, bit for bit, for any number.

    Args:
        model: the trained part of the network.
        training: one step at a time is taken if it has callbacks of the user's own, which may look at every step; teachers,
            whose operations are not those of the model; or `validate_at` in float16, where steps whose gradients overflow do
            not count.
        steps: of an epoch; a training of few steps takes them one at a time. The calls of an epoch have equal numbers of steps,
            and one ends at each step of `validate_at`.
        begin: the step of its first epoch at which the training begins, 0 but for one that is resumed.
    """
    operations, is_brief = flops(model), training.epochs * steps < LEAST_STEPS
    is_special = training.callbacks or training.distill or tf.distribute.get_strategy().num_replicas_in_sync > 1
    skips_steps = training.validate_at and keras.config.dtype_policy().compute_dtype == "float16"
    if is_brief or is_special or skips_steps or not operations:
        return 1
    device = "GPU" if tf.config.list_logical_devices("GPU") else "CPU"
    fitting = OPERATIONS[device] / (PASSES * operations * training.batch_size)
    shared = math.gcd(steps, begin, *training.validate_at)
    return max(number for number in range(1, MOST + 1) if number <= max(fitting, 1) and shared % number == 0)
