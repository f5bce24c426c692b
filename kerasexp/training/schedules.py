"""Learning-rate schedules by name, all of them Keras's own."""

from __future__ import annotations

from collections.abc import Callable

import keras

from kerasexp.config.schedule_section import Constant, Cosine, OneCycle, Schedule, StepDecay

# The one-cycle rule begins at a 25th of its peak and ends at a 100,000th of it (Smith and Topin 2018, as in fastai).
ONE_CYCLE_START, ONE_CYCLE_END = 1 / 25, 1e-5

Rates = float | keras.optimizers.schedules.LearningRateSchedule


class WarmUp(keras.optimizers.schedules.LearningRateSchedule):
    """A course of the learning rate that is multiplied by a rise from 0 to 1 over the first steps."""

    def __init__(self, rates: Rates, steps: int):
        self.rates, self.steps = rates, steps

    def __call__(self, step):
        step = keras.ops.cast(step, "float32")
        rate = self.rates(step) if callable(self.rates) else self.rates
        return rate * keras.ops.minimum(step / self.steps, 1.0)

    def get_config(self):
        return {"rates": self.rates, "steps": self.steps}


def _warmed_up(rates: Rates, share: float, steps: int) -> Rates:
    warmup = round(share * steps)
    return WarmUp(rates, warmup) if warmup else rates


def _constant(schedule: Constant, rate: float, epochs: int, steps_per_epoch: int) -> Rates:
    return _warmed_up(rate, schedule.warmup, epochs * steps_per_epoch)


def _cosine(schedule: Cosine, rate: float, epochs: int, steps_per_epoch: int) -> Rates:
    steps = epochs * steps_per_epoch
    warmup = round(schedule.warmup * steps)
    return _rise_and_fall(0.0 if warmup else rate, rate, warmup, steps, end=0.0)


def _one_cycle(schedule: OneCycle, rate: float, epochs: int, steps_per_epoch: int) -> Rates:
    steps = epochs * steps_per_epoch
    return _rise_and_fall(rate * ONE_CYCLE_START, rate, max(round(schedule.peak * steps), 1), steps, ONE_CYCLE_END)


def _step(schedule: StepDecay, rate: float, epochs: int, steps_per_epoch: int) -> Rates:
    drops = keras.optimizers.schedules.ExponentialDecay(
        rate, decay_steps=schedule.every * steps_per_epoch, decay_rate=schedule.factor, staircase=True
    )
    return _warmed_up(drops, schedule.warmup, epochs * steps_per_epoch)


def _rise_and_fall(start: float, peak: float, rise: int, steps: int, end: float) -> Rates:
    return keras.optimizers.schedules.CosineDecay(
        start,
        decay_steps=max(steps - rise, 1),
        alpha=end,
        warmup_target=peak if rise else None,
        warmup_steps=rise,
    )


# (section `schedule`, highest rate, epochs, steps per epoch) -> the rate, or its course over all steps.
SCHEDULES: dict[str, Callable[[Schedule, float, int, int], Rates]] = {
    "constant": _constant,
    "cosine": _cosine,
    "one_cycle": _one_cycle,
    "step": _step,
}
