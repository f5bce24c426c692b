"""Optimizers by name, all of them Keras's own."""

from __future__ import annotations

from collections.abc import Sequence

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


# Weights that do not decay have one dimension, or these names: an attention's biases have more.
SPARED = ("bias", "gamma", "beta")


def build_optimizer(
    training: Training, steps_per_epoch: int, variables: Sequence[keras.Variable]
) -> keras.optimizers.Optimizer:
    """Return the optimizer of a training, built on its variables, with its learning-rate schedule, whose steps are batches.

    With `accumulate`, it takes a step of the mean gradient of so many batches. Weight decay spares biases and the weights of
    normalisation, which it has no use for, as in timm.
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
        built.exclude_from_weight_decay([v for v in variables if len(v.shape) < 2 or v.name in SPARED])
    # Here, and not by an optimizer around it that scales the loss: that one would not track Nadam's product of momenta.
    built.build(variables)
    if built.use_ema:  # what the average is until the first step, which with `accumulate` may be after the first epoch
        for average, variable in zip(built._model_variables_moving_average, variables, strict=True):
            average.assign(variable)
    return built


def _averaging(training: Training) -> dict[str, float | bool]:
    """Return the arguments of the moving average of the weights; none without it."""
    average = training.average
    momentum = average.momentum if isinstance(average, Ema) else training.optimizer.ema
    if momentum is None:
        return {}
    return {"use_ema": True, "ema_momentum": momentum}
