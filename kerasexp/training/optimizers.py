"""Optimizers by name, all of them Keras's own."""

from __future__ import annotations

import keras

from kerasexp.config.optimizer_section import Optimizer
from kerasexp.config.schedule_section import Schedule
from kerasexp.training.schedules import SCHEDULES

# The keys of a section that not all optimizers have are named as the arguments of its class in Keras.
OPTIMIZERS: dict[str, type[keras.optimizers.Optimizer]] = {
    "adam": keras.optimizers.Adam,
    "adamw": keras.optimizers.AdamW,
    "sgd": keras.optimizers.SGD,
    "rmsprop": keras.optimizers.RMSprop,
}


def build_optimizer(
    optimizer: Optimizer, schedule: Schedule, epochs: int, steps_per_epoch: int
) -> keras.optimizers.Optimizer:
    """Return the optimizer with its learning-rate schedule."""
    own = optimizer.model_dump(exclude={"name", "learning_rate", "clip_norm", "ema"})
    averaging = {} if optimizer.ema is None else {"use_ema": True, "ema_momentum": optimizer.ema}
    built = OPTIMIZERS[optimizer.name](
        learning_rate=SCHEDULES[schedule.name](schedule, optimizer.learning_rate, epochs, steps_per_epoch),
        global_clipnorm=optimizer.clip_norm,
        **own,
        **averaging,
    )
    if built.weight_decay:
        # Decay keeps weights small, which has no use for biases and the scales of batch normalisation.
        built.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return built
