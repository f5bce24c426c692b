"""Training, from top to bottom."""

from __future__ import annotations

from dataclasses import dataclass, field

import keras

from kerasexp.config.experiment import Experiment
from kerasexp.config.rules import labels_are_complementary
from kerasexp.config.training import Training
from kerasexp.console import Console
from kerasexp.data.epoch_sampling import epoch_size
from kerasexp.data.pipeline import evaluation_batch, evaluation_batches, training_batches
from kerasexp.data.prepared_data import PreparedData
from kerasexp.errors import NonFiniteLoss
from kerasexp.losses import build_loss
from kerasexp.models.decoding import decoding_of
from kerasexp.saving.run_files import RunFiles
from kerasexp.training.accuracy import build_accuracy
from kerasexp.training.callbacks import REMEMBERED, AtomicCheckpoint, History, StopAtNonFiniteLoss, plateau_callbacks
from kerasexp.training.clock import Clock
from kerasexp.training.devices import compute_as_one, largest_batch
from kerasexp.training.early_curve import EarlyCurve
from kerasexp.training.fine_tuning import slow_with_depth
from kerasexp.training.fused_norms import fuse_norms
from kerasexp.training.gradient_flow import GradientFlow, Gradients
from kerasexp.training.interruption import stop_requests
from kerasexp.training.metric_learner import learner_for
from kerasexp.training.optimizers import build_optimizer
from kerasexp.training.progress import EpochProgress
from kerasexp.training.resumable_state import TrainingState


@dataclass(frozen=True)
class Fitted:
    """What training leaves besides the checkpoint.

    Attributes:
        history: one row per epoch.
        gradients: of some hundred steps.
        early: one row per look at the model that `validate_at` asked for.
        kept: the epoch, from 1, that the checkpoint is of.
        seconds: how long it took.
        cross_validation: of a head that is fitted at once, one row per value that was tried: the value by its key, and mean
            and deviation of the accuracy.
    """

    history: list[dict[str, float]]
    gradients: Gradients
    early: list[dict[str, float]]
    kept: int
    seconds: float
    cross_validation: list[dict[str, float]] = field(default_factory=list)


def fit(classifier: keras.Model, data: PreparedData, experiment: Experiment, run: RunFiles, console: Console) -> Fitted:
    """Train `classifier`; leave the checkpoint, the history, the gradients and TensorBoard's files in `run`.

    Where the directory holds the state of an earlier process, the training goes on from it.

    Raises:
        Interrupted: the process was asked to stop; the state is saved.
        NonFiniteLoss: the loss became NaN or infinite; what was best before that is in the run directory.
    """
    training = experiment.training
    train, val = data.splits["train"], data.splits["val"]
    at_once = evaluation_batch(val.images.shape[1:])

    # 1. What is minimised, and how.
    counts, oversample = data.train_counts, experiment.data.oversample
    steps = epoch_size(counts, training.batch_size, oversample, training.class_batches).steps
    optimizer = build_optimizer(training.optimizer, training.schedule, training.epochs, steps)
    model = learner_for(classifier, training.loss, len(counts))
    fuse_norms(model)
    loss = build_loss(training.loss, counts)
    accuracy = build_accuracy(training, decoding_of(training.decode, counts))
    model.compile(optimizer=optimizer, loss=loss, metrics=[accuracy])
    model.optimizer.build(model.trainable_variables)
    slow_with_depth(optimizer, model, training.fine_tune.depth_decay)

    # 2. What happens beside it. The running mean of the weights comes first: all that follows sees it.
    clock = Clock()
    checkpoint = AtomicCheckpoint(run.model, classifier, training.checkpoint)
    history, non_finite = History(clock, run.write_history), StopAtNonFiniteLoss()
    flow = GradientFlow(model, optimizer, training.epochs * steps, run.write_gradients)
    compute_as_one(model, optimizer)
    complementary = labels_are_complementary(training)
    early = EarlyCurve(classifier, val, at_once, training.validate_at, complementary, clock, run.write_curve)
    plateau = plateau_callbacks(training)
    remembered = {checkpoint: ("best", "kept"), history: ("rows",), early: ("rows",)}
    remembered |= {callback: REMEMBERED[type(callback)] for callback in plateau}

    with stop_requests() as stop:
        # 3. Where an earlier process left off, and the batches from there on: every epoch's, in an order and with changes
        # that follow from the seed.
        state = TrainingState(run.state, model, remembered, flow, clock, training.epochs, training.save_minutes, stop)
        state.take_up(console)
        batches = training_batches(
            train,
            training.batch_size,
            experiment.seed,
            experiment.data.augmentation,
            training.epochs,
            state.begin,
            oversample,
            training.class_batches,
            training.shuffle,
        )
        validation = evaluation_batches(val.images, val.labels, largest_batch(len(val), at_once))
        callbacks = [
            *([keras.callbacks.SwapEMAWeights(swap_on_epoch=True)] if training.optimizer.ema is not None else []),
            checkpoint,
            history,
            flow,
            *([early] if training.validate_at else []),
            *plateau,
            keras.callbacks.TensorBoard(run.tensorboard, write_graph=False, profile_batch=0),
            non_finite,
            EpochProgress(console, training.epochs, steps),
            state,
        ]

        # 4. The training itself.
        if not state.over:
            model.fit(
                batches,
                epochs=training.epochs,
                initial_epoch=state.begin[0],
                steps_per_epoch=steps,
                validation_data=validation,
                callbacks=callbacks,
                shuffle=False,  # each epoch comes in its order
                verbose=0,
            )
        seconds = clock.seconds()

        # 5. A loss that is no number has taught the model nothing since.
        if non_finite.place is not None:
            raise NonFiniteLoss(_broken(non_finite.place, flow.broke(), steps, training, run))
        state.finish()
        stop.raise_if_asked()
    return Fitted(history.rows, flow.gradients(), early.rows, checkpoint.kept, seconds)


def _broken(
    place: tuple[int, int], layer: tuple[str, int] | None, steps: int, training: Training, run: RunFiles
) -> str:
    """Return what a user has to know of a loss that is not finite: where, which layer, and what to try."""
    epoch, step = place
    kept = "the best checkpoint before that is kept" if run.model.exists() else "there is no checkpoint"
    where = ""
    if layer is not None:
        broke_epoch, broke_step = divmod(layer[1] - 1, steps)
        where = (
            f"The first gradient to break was that of '{layer[0]}', in epoch {broke_epoch + 1}, step {broke_step + 1}. "
        )
    return (
        f"the loss is not finite (NaN or infinite) in epoch {epoch}, step {step}; {kept}. {where}"
        f"Try a lower training.optimizer.learning_rate (now {training.optimizer.learning_rate:g}) or a clip_norm of 1"
    )
