"""Training on several devices of one machine: each has a copy of the weights and processes its share of every batch."""

from __future__ import annotations

import json
import os

import keras
import numpy as np
import tensorflow as tf

from kerasexp.config import Experiment
from kerasexp.config.loss_section import metric_losses
from kerasexp.config.training_section import Training
from kerasexp.data.epoch_sampling import Sampling
from kerasexp.errors import Problem, UserError
from kerasexp.training import hooks

# For variables that each device has and updates on its own, all with the same values; read from the first device.
ON_EACH_DEVICE = {
    "synchronization": tf.VariableSynchronization.ON_READ,
    "aggregation": tf.VariableAggregation.ONLY_FIRST_REPLICA,
}


def strategy_of(experiment: Experiment, counts: list[int], images: int | None = None) -> tf.distribute.Strategy:
    """Return the distribution strategy of a training; models and optimizers are created in its scope.

    Args:
        experiment: states the devices and the batch size.
        counts: the training images of each class.
        images: all training images, where they may have several labels.

    Raises:
        UserError: the environment describes a cluster of several hosts, on which Keras 3 cannot train with TensorFlow; or
            the last batch of an epoch has fewer images than there are devices; or the training needs one device.
    """
    if experiment.runtime.devices != "all":
        return tf.distribute.get_strategy()
    _refuse_cluster()
    kind = "GPU" if tf.config.list_logical_devices("GPU") else "CPU"
    devices = [device.name for device in tf.config.list_logical_devices(kind)]
    training = experiment.training
    epoch = Sampling.of(experiment).size(counts, images)
    if epoch.smallest_batch < len(devices):
        last = f"the last batch of {epoch.images} images has {epoch.smallest_batch}"
        message = f"got {epoch.batch_size}: {last}, too few for {len(devices)} devices"
        raise UserError(Problem(message, key="training.batch_size"))
    if len(devices) > 1:
        _refuse_what_needs_one_device(training, len(devices))
    return tf.distribute.MirroredStrategy(devices) if len(devices) > 1 else tf.distribute.get_strategy()


def _refuse_what_needs_one_device(training: Training, devices: int) -> None:
    for added in metric_losses(training.loss):
        reason = f"training.loss.{added} compares the images of a whole batch"
        message = f"{reason}, and each of {devices} devices would see only its share; use auto, which trains on one"
        raise UserError(Problem(message, key="runtime.devices"))
    reasons = {
        "accumulate": (training.accumulate > 1, "accumulates gradients"),
        "average": (training.average is not None, "measures batch normalisation for an average of the weights"),
        "sharpness_aware": (training.sharpness_aware is not None, "moves the weights twice a step"),
    }
    for key, (is_asked, does) in reasons.items():
        if is_asked:
            message = f"training.{key} {does}, which is done on one device, and there are {devices}; use auto"
            raise UserError(Problem(message, key="runtime.devices"))


def _refuse_cluster() -> None:
    try:
        hosts = sum(map(len, json.loads(os.environ.get("TF_CONFIG") or "{}").get("cluster", {}).values()))
    except (ValueError, AttributeError, TypeError):
        message = "TF_CONFIG is not the JSON of a cluster; unset it to train here"
        raise UserError(Problem(message, key="runtime.devices")) from None
    if hosts > 1:
        advice = (
            "for many trainings start a study's variants on each host (`run --variant NAME`), for one large model use "
        )
        message = f"TF_CONFIG names {hosts} hosts, but one training runs on the devices of one host; {advice}Keras's JAX backend"
        raise UserError(Problem(message, key="runtime.devices"))


def device_names(strategy: tf.distribute.Strategy) -> list[str]:
    """Return the names of the devices that train, such as `GPU:0`."""
    if strategy.num_replicas_in_sync == 1:
        return ["GPU:0" if tf.config.list_logical_devices("GPU") else "CPU:0"]
    return [name.rpartition("device:")[2] for name in strategy.extended.worker_devices]


def largest_batch_size(images: int, at_most: int) -> int:
    """Return the largest batch size, up to `at_most`, at which the last batch has an image for every device."""
    devices = tf.distribute.get_strategy().num_replicas_in_sync
    return next(size for size in range(at_most, 0, -1) if images % size == 0 or images % size >= devices)


def train_as_one_device(model: keras.Model, optimizer: keras.optimizers.Optimizer) -> None:
    """Let several devices compute what one device would, except for rounding; no change on one device.

    Batch normalisation takes the statistics of the whole batch. Gradients are summed over the devices before they are
    recorded and clipped; Keras clips each device's own. Two differences remain: if a batch does not divide evenly, each
    device's mean has equal weight; and each device draws its own dropout.
    """
    if tf.distribute.get_strategy().num_replicas_in_sync == 1:
        return
    for norm in norms_of(model):
        norm.synchronized = True
    hooks.sum_gradients(optimizer)


def norms_of(model: keras.Model) -> list[keras.layers.BatchNormalization]:
    """Return the batch normalisations of a model, those of models and layers within it included, each once."""
    layers = {id(layer): layer for layer in model._flatten_layers(include_self=False)}
    return [layer for layer in layers.values() if isinstance(layer, keras.layers.BatchNormalization)]


def steps_done(optimizer: keras.optimizers.Optimizer) -> int:
    """Return the number of steps that the optimizer has taken, on one device or on several; with `accumulate`, not of batches."""
    return int(value_of(optimizer.iterations))


def last_learning_rate(optimizer: keras.optimizers.Optimizer) -> float:
    """Return the learning rate of the last batch; `optimizer.learning_rate` is that of the next one."""
    optimizer = getattr(optimizer, "inner_optimizer", optimizer)  # of an optimizer that scales the loss
    schedule = optimizer._learning_rate
    if isinstance(schedule, keras.optimizers.schedules.LearningRateSchedule):
        batches = int(value_of(optimizer._iterations))  # a public property counts steps
        return float(value_of(schedule(max(batches - 1, 0))))
    return float(value_of(optimizer.learning_rate))


def value_of(variable: keras.Variable | tf.Variable) -> np.ndarray:
    """Return a variable's value; if each device has a copy, the first one's."""
    return np.asarray(keras.ops.convert_to_numpy(variable))
