"""Training, from top to bottom."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

import keras

from kerasexp.config.experiment import Experiment
from kerasexp.console import Console
from kerasexp.data.pipeline import evaluation_batches, training_batches
from kerasexp.data.preparation import PreparedData
from kerasexp.errors import RunError
from kerasexp.losses import build_loss
from kerasexp.runs import RunDirectory
from kerasexp.training.callbacks import AtomicCheckpoint, History, StopAtNonFiniteLoss, plateau_callbacks
from kerasexp.training.early_curve import EarlyCurve
from kerasexp.training.gradient_flow import GradientFlow, Gradients
from kerasexp.training.optimizers import build_optimizer
from kerasexp.training.progress import EpochProgress

# Validation needs no gradients, so its batches can be larger than training's.
EVALUATION_BATCH = 500


@dataclass(frozen=True)
class Fitted:
    """What training leaves besides the checkpoint.

    Attributes:
        history: one row per epoch.
        gradients: of some hundred steps.
        early: one row per look at the model that `validate_at` asked for.
        kept: the epoch, from 1, that the checkpoint is of.
        seconds: how long it took.
    """

    history: list[dict[str, float]]
    gradients: Gradients
    early: list[dict[str, float]]
    kept: int
    seconds: float


def fit(model: keras.Model, data: PreparedData, experiment: Experiment, run: RunDirectory, console: Console) -> Fitted:
    """Train `model`; leave the checkpoint, the history, the gradients and TensorBoard's files in `run`.

    Raises:
        RunError: the loss became NaN or infinite; what was best before that is in the run directory.
    """
    training = experiment.training
    train, val = data.splits["train"], data.splits["val"]

    # 1. The data: every epoch's batches, in an order and with changes that follow from the seed.
    steps = math.ceil(len(train) / training.batch_size)
    batches = training_batches(
        train, training.batch_size, experiment.seed, experiment.data.augmentation, 0, training.epochs
    )
    validation = evaluation_batches(val.images, val.labels, EVALUATION_BATCH)

    # 2. What is minimised, and how.
    optimizer = build_optimizer(training.optimizer, training.schedule, training.epochs, steps)
    accuracy = keras.metrics.SparseCategoricalAccuracy(name="accuracy")
    model.compile(optimizer=optimizer, loss=build_loss(training.loss), metrics=[accuracy])

    # 3. What happens beside it. The running mean of the weights comes first: all that follows sees it.
    checkpoint = AtomicCheckpoint(run.model, training.checkpoint)
    history, non_finite = History(run.write_history), StopAtNonFiniteLoss()
    flow = GradientFlow(model, optimizer, training.epochs * steps, run.write_gradients)
    early = EarlyCurve(val, EVALUATION_BATCH, training.validate_at, run.write_curve)
    callbacks = [
        *([keras.callbacks.SwapEMAWeights(swap_on_epoch=True)] if training.optimizer.ema is not None else []),
        checkpoint,
        history,
        flow,
        *([early] if training.validate_at else []),
        *plateau_callbacks(training),
        keras.callbacks.TensorBoard(run.tensorboard, write_graph=False, profile_batch=0),
        non_finite,
        EpochProgress(console, training.epochs, steps),
    ]

    # 4. The training itself.
    start = time.perf_counter()
    model.fit(
        batches,
        epochs=training.epochs,
        steps_per_epoch=steps,
        validation_data=validation,
        callbacks=callbacks,
        shuffle=False,  # each epoch comes shuffled
        verbose=0,
    )
    seconds = time.perf_counter() - start

    # 5. A loss that is no number has taught the model nothing since.
    if non_finite.place is not None:
        epoch, step = non_finite.place
        kept = "the best checkpoint before that is kept" if run.model.exists() else "there is no checkpoint"
        raise RunError(
            f"the loss is not finite (NaN or infinite) in epoch {epoch}, step {step}; {kept}. "
            f"Try a lower training.optimizer.learning_rate (now {training.optimizer.learning_rate:g}) or a clip_norm of 1"
        )
    return Fitted(history.rows, flow.gradients(), early.rows, checkpoint.kept, seconds)
