"""Optimizers and learning-rate schedules by name; both are Keras's own."""

from __future__ import annotations

import keras

from kerasexp.config.training import Optimizer, Schedule

OPTIMIZERS = {
    "adam": keras.optimizers.Adam,
    "adamw": keras.optimizers.AdamW,
    "sgd": keras.optimizers.SGD,
    "rmsprop": keras.optimizers.RMSprop,
}
# The one-cycle rule begins at a 25th of its peak and ends at a 10,000th of that (Smith and Topin 2018, as fastai has it).
ONE_CYCLE_START, ONE_CYCLE_END = 1 / 25, 1e-5


def build_optimizer(
    optimizer: Optimizer, schedule: Schedule, epochs: int, steps_per_epoch: int
) -> keras.optimizers.Optimizer:
    """Return the optimizer with its schedule; keys that are null keep Keras's defaults."""
    keys = ("momentum", "nesterov", "beta_1", "beta_2", "weight_decay")
    given = {key: getattr(optimizer, key) for key in keys if getattr(optimizer, key) is not None}
    if optimizer.ema is not None:
        given |= {"use_ema": True, "ema_momentum": optimizer.ema}
    built = OPTIMIZERS[optimizer.name](
        learning_rate=build_schedule(schedule, optimizer.learning_rate, epochs, steps_per_epoch),
        global_clipnorm=optimizer.clip_norm,
        **given,
    )
    if built.weight_decay:
        # Decay holds weights small; biases and the scales of batch normalisation have no reason to be.
        built.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return built


def build_schedule(
    schedule: Schedule, rate: float, epochs: int, steps_per_epoch: int
) -> float | keras.optimizers.schedules.LearningRateSchedule:
    """Return the rate, or its course over all steps; `rate` is its highest value."""
    steps = epochs * steps_per_epoch
    if schedule.name == "cosine":
        warmup = round(schedule.warmup * steps)
        return _rise_and_fall(0.0 if warmup else rate, rate, warmup, steps, end=0.0)
    if schedule.name == "one_cycle":
        return _rise_and_fall(rate * ONE_CYCLE_START, rate, max(round(schedule.peak * steps), 1), steps, ONE_CYCLE_END)
    if schedule.name == "step":
        return keras.optimizers.schedules.ExponentialDecay(
            rate, decay_steps=schedule.every * steps_per_epoch, decay_rate=schedule.factor, staircase=True
        )
    return rate


def _rise_and_fall(
    start: float, peak: float, rise: int, steps: int, end: float
) -> keras.optimizers.schedules.CosineDecay:
    return keras.optimizers.schedules.CosineDecay(
        start,
        decay_steps=max(steps - rise, 1),
        alpha=end,
        warmup_target=peak if rise else None,
        warmup_steps=rise,
    )
