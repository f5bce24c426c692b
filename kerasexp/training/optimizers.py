"""Optimizers by name, all of them Keras's own."""

from __future__ import annotations

import keras

from kerasexp.config.average_section import Ema
from kerasexp.config.optimizer_section import Muon
from kerasexp.config.training_section import Training
from kerasexp.training import hooks
from kerasexp.training.schedules import SCHEDULES

# The keys of a section that not all optimizers have are named as the arguments of its class in Keras.
OPTIMIZERS: dict[str, type[keras.optimizers.Optimizer]] = {
    "adam": keras.optimizers.Adam,
    "adamw": keras.optimizers.AdamW,
    "nadam": keras.optimizers.Nadam,
    "lamb": keras.optimizers.Lamb,
    "lion": keras.optimizers.Lion,
    "adafactor": keras.optimizers.Adafactor,
    "muon": keras.optimizers.Muon,
    "sgd": keras.optimizers.SGD,
    "rmsprop": keras.optimizers.RMSprop,
}


def build_optimizer(training: Training, steps_per_epoch: int) -> keras.optimizers.Optimizer:
    """Return the optimizer of a training with its learning-rate schedule, whose steps are batches.

    With `accumulate`, it takes a step of the mean gradient of so many batches.
    """
    optimizer, schedule = training.optimizer, training.schedule
    own = optimizer.model_dump(exclude={"name", "learning_rate", "clip_norm", "ema"})
    if isinstance(optimizer, Muon):
        # The last layer is left to AdamW, as its authors do; Keras would decay the other weights by its own default.
        own |= {"adam_weight_decay": optimizer.weight_decay, "exclude_layers": ["logits"]}
    built = OPTIMIZERS[optimizer.name](
        learning_rate=SCHEDULES[schedule.name](schedule, optimizer.learning_rate, training.epochs, steps_per_epoch),
        global_clipnorm=optimizer.clip_norm,
        gradient_accumulation_steps=training.accumulate if training.accumulate > 1 else None,
        **own,
        **_averaging(training),
    )
    if built.use_ema and training.accumulate > 1:
        hooks.average_after_steps(built)
    if built.weight_decay:
        # Decay keeps weights small, which has no use for biases and the scales of batch normalisation.
        built.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return built


def _averaging(training: Training) -> dict[str, float | bool]:
    """Return the arguments of the moving average of the weights; none without it."""
    average = training.average
    momentum = average.momentum if isinstance(average, Ema) else training.optimizer.ema
    if momentum is None:
        return {}
    return {"use_ema": True, "ema_momentum": momentum}
