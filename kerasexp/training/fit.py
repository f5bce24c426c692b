"""Training, from top to bottom."""

from __future__ import annotations

from typing import NamedTuple

import keras

from kerasexp.config.experiment import Experiment
from kerasexp.config.head_rules import head_without_steps
from kerasexp.config.rules import labels_are_complementary
from kerasexp.config.training import Training
from kerasexp.console import Console
from kerasexp.data.epoch_sampling import Sampling
from kerasexp.data.pipeline import evaluation_batch_size, evaluation_batches, training_batches
from kerasexp.data.prepared_data import PreparedData
from kerasexp.errors import NonFiniteLoss
from kerasexp.losses import build_loss
from kerasexp.models.decoding import decoding_of
from kerasexp.saving.checkpoint import write_sidecars
from kerasexp.saving.run_files import RunFiles
from kerasexp.training.accuracy import build_accuracy
from kerasexp.training.callbacks import REMEMBERED, AtomicCheckpoint, History, StopAtNonFiniteLoss, plateau_callbacks
from kerasexp.training.classical_heads import FITS
from kerasexp.training.clock import Clock
from kerasexp.training.devices import compute_as_one, largest_batch
from kerasexp.training.early_curve import EarlyCurve
from kerasexp.training.fine_tuning import slow_with_depth
from kerasexp.training.fitted import Fitted
from kerasexp.training.fused_norms import fuse_norms
from kerasexp.training.gradient_flow import GradientFlow
from kerasexp.training.initial_model import InitialModel
from kerasexp.training.interruption import stop_requests
from kerasexp.training.metric_learner import learner_for
from kerasexp.training.optimizers import build_optimizer
from kerasexp.training.precision import what_computes
from kerasexp.training.progress import EpochProgress
from kerasexp.training.resumable_state import TrainingState


def fit(model: InitialModel, data: PreparedData, experiment: Experiment, run: RunFiles, console: Console) -> Fitted:
    """Train a model, by gradient descent or, where it has a classical head, by fitting that; leave the checkpoint in `run`.

    Raises:
        Interrupted: the process was asked to stop; the state is saved.
        NonFiniteLoss: the loss became NaN or infinite; the best checkpoint of before is kept.
    """
    write_sidecars(run.checkpoint, data.class_names, data.folders, experiment.data.preprocessing)
    console.line(what_computes(model.precision, experiment.training.precision, model.devices))
    head = head_without_steps(experiment)
    train = fit_by_gradients if head is None else FITS[head[0]]
    with model.strategy.scope():
        return train(model.classifier, data, experiment, run, console)


def fit_by_gradients(
    classifier: keras.Model, data: PreparedData, experiment: Experiment, run: RunFiles, console: Console
) -> Fitted:
    """Train `classifier`; leave the checkpoint, the history, the gradients and TensorBoard's files in `run`.

    Where the directory holds the state of an earlier process, the training goes on from it. Raises as `fit`.
    """
    training = experiment.training
    train, val = data.training_splits["train"], data.training_splits["val"]
    counts, sampling = data.training_counts, Sampling.of(experiment)

    # 1. What is minimised, and how.
    steps = sampling.size(counts).steps
    model, optimizer = _compiled(classifier, training, counts, steps)

    # 2. What watches it.
    clock = Clock()
    watch = _watched(model, optimizer, classifier, val, training, steps, run, clock)
    with stop_requests() as stop:
        # 3. Where an earlier process left off, and the batches from there on, which follow from the seed.
        state = TrainingState(
            run.state, model, watch.remembered, watch.flow, clock, training.epochs, training.save_minutes, stop
        )
        state.take_up(console)
        batches = training_batches(
            train, sampling, experiment.seed, experiment.data.augmentation, training.epochs, state.begin
        )
        at_once = largest_batch(len(val), evaluation_batch_size(val.images.shape[1:]))
        validation = evaluation_batches(val.images, val.labels, at_once)

        # 4. The training itself.
        if not state.over:
            model.fit(
                batches,
                epochs=training.epochs,
                initial_epoch=state.begin[0],
                steps_per_epoch=steps,
                validation_data=validation,
                callbacks=[*watch.callbacks, EpochProgress(console, training.epochs, steps), state],
                shuffle=False,  # each epoch comes in its order
                verbose=0,
            )
        seconds = clock.seconds()

        # 5. After a loss that is not finite the weights are worth nothing.
        if watch.non_finite.place is not None:
            raise NonFiniteLoss(_broken(watch.non_finite.place, watch.flow.broke(), steps, training, run))
        state.finish()
        stop.raise_if_asked()
    history = watch.history.rows
    return Fitted(
        history, watch.flow.gradients(), watch.early.rows, watch.checkpoint.kept, seconds, epochs=len(history)
    )


def _compiled(
    classifier: keras.Model, training: Training, counts: list[int], steps: int
) -> tuple[keras.Model, keras.optimizers.Optimizer]:
    """Return the part of a classifier that is trained, compiled, and its optimizer, built."""
    optimizer = build_optimizer(training.optimizer, training.schedule, training.epochs, steps)
    model = learner_for(classifier, training.loss, len(counts))
    fuse_norms(model)
    loss = build_loss(training.loss, counts)
    accuracy = build_accuracy(training, decoding_of(training.decode, counts))
    model.compile(optimizer=optimizer, loss=loss, metrics=[accuracy])
    model.optimizer.build(model.trainable_variables)
    slow_with_depth(optimizer, model, training.fine_tune.depth_decay)
    return model, optimizer


class _Watch(NamedTuple):
    """What happens beside the steps: the callbacks in their order, and those of them that are asked afterwards."""

    callbacks: list[keras.callbacks.Callback]
    checkpoint: AtomicCheckpoint
    history: History
    flow: GradientFlow
    early: EarlyCurve
    non_finite: StopAtNonFiniteLoss
    remembered: dict[keras.callbacks.Callback, tuple[str, ...]]


def _watched(
    model: keras.Model,
    optimizer,
    classifier: keras.Model,
    val,
    training: Training,
    steps: int,
    run: RunFiles,
    clock: Clock,
) -> _Watch:
    checkpoint = AtomicCheckpoint(run.model, classifier, training.checkpoint)
    history, non_finite = History(clock, run.write_history), StopAtNonFiniteLoss()
    flow = GradientFlow(model, optimizer, training.epochs * steps, run.write_gradients)
    compute_as_one(model, optimizer)
    at_once, complementary = evaluation_batch_size(val.images.shape[1:]), labels_are_complementary(training)
    early = EarlyCurve(classifier, val, at_once, training.validate_at, complementary, clock, run.write_curve)
    plateau = plateau_callbacks(training)
    callbacks = [
        # The running mean of the weights comes first: all that follows sees it.
        *([keras.callbacks.SwapEMAWeights(swap_on_epoch=True)] if training.optimizer.ema is not None else []),
        checkpoint,
        history,
        flow,
        *([early] if training.validate_at else []),
        *plateau,
        keras.callbacks.TensorBoard(run.tensorboard, write_graph=False, profile_batch=0),
        non_finite,
    ]
    remembered = {checkpoint: ("best", "kept"), history: ("rows",), early: ("rows",)}
    remembered |= {callback: REMEMBERED[type(callback)] for callback in plateau}
    return _Watch(callbacks, checkpoint, history, flow, early, non_finite, remembered)


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
