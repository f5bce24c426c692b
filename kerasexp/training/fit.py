"""The training of a run, from top to bottom."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import keras
import tensorflow as tf

from kerasexp.config.experiment import Experiment
from kerasexp.config.model_section import classical_head
from kerasexp.config.training_section import Training, labels_are_complementary
from kerasexp.console import Console
from kerasexp.data.epoch_sampling import Sampling
from kerasexp.data.evaluation_batch import evaluation_batch_size
from kerasexp.data.pipeline import evaluation_batches, training_batches
from kerasexp.data.prepared_data import PreparedData, Split
from kerasexp.errors import NonFiniteLoss, listing
from kerasexp.losses import build_loss, build_multi_label_loss, class_weights
from kerasexp.models import family_of
from kerasexp.models.decoding_layer import decoding_of
from kerasexp.saving.checkpoint import forget_results, write_sidecars
from kerasexp.saving.checkpoint_code import write_code
from kerasexp.saving.saved_files import RunFiles
from kerasexp.training import hooks
from kerasexp.training.added_losses import Distillation, training_model
from kerasexp.training.callbacks import AtomicCheckpoint, History, StopAtNonFiniteLoss, TensorBoard, plateau_callbacks
from kerasexp.training.classical_head_training import CLASSICAL_FITS
from kerasexp.training.custom_callbacks import custom_callbacks
from kerasexp.training.early_validation import EarlyCurve
from kerasexp.training.epoch_progress import EpochProgress
from kerasexp.training.fine_tuning import scale_rates
from kerasexp.training.frozen_features import head_on_features
from kerasexp.training.gradient_flow import GradientFlow
from kerasexp.training.initial_model import InitialModel
from kerasexp.training.interruption import stop_requests
from kerasexp.training.live_progress import LiveProgress
from kerasexp.training.optimizers import build_optimizer
from kerasexp.training.precision import precision_message
from kerasexp.training.sharpness_aware_step import sharpness_aware_step
from kerasexp.training.steps_at_once import put_steps_together, steps_at_once
from kerasexp.training.teacher import Teacher, teaching_record
from kerasexp.training.training_accuracy import build_accuracy
from kerasexp.training.training_batch_norm import fuse_norms
from kerasexp.training.training_clock import Clock
from kerasexp.training.training_devices import largest_batch_size, train_as_one_device
from kerasexp.training.training_result import TimeLimit, TrainingResult
from kerasexp.training.training_state import TrainingState
from kerasexp.training.weight_average import WeightAverage


def fit(
    model: InitialModel, data: PreparedData, experiment: Experiment, run: RunFiles, console: Console
) -> TrainingResult:
    """Train a model by gradient descent, or fit its classical head if it has one; save the checkpoint to `run`.

    Raises:
        Interrupted: the process was asked to stop; the state is saved.
        NonFiniteLoss: the loss became NaN or infinite; the best checkpoint before that is kept.
    """
    section = experiment.data
    forget_results(run.checkpoint)
    write_sidecars(
        run.checkpoint,
        data.class_names,
        data.folders,
        section.preprocessing,
        data.value_range,
        section.multi_label,
        section.augmentation is not None and section.augmentation.flip,
    )
    if model.code_reason is not None:
        decoding = decoding_of(experiment.training.decode, data.train_counts)
        write_code(run.checkpoint, experiment.model, model.precision, decoding)
        console.line(f"the checkpoint needs the code of its network, which others must trust: {model.code_reason}")
    console.line(precision_message(model.precision, experiment.training.precision, model.devices))
    head = classical_head(experiment.model)
    with model.strategy.scope():
        if head is not None:
            return CLASSICAL_FITS[head[0]](model.classifier, data, experiment, run, console)
        return fit_by_gradients(model.classifier, data, experiment, run, console, model.teacher)


def fit_by_gradients(
    classifier: keras.Model,
    data: PreparedData,
    experiment: Experiment,
    run: RunFiles,
    console: Console,
    teacher: Teacher | None = None,
) -> TrainingResult:
    """Train `classifier`; save the checkpoint, the history, the gradients and TensorBoard's files to `run`.

    A teacher is learned from beside the labels. An unfinished training in the directory is continued. Raises as `fit`.
    """
    training = experiment.training
    part, splits = head_on_features(classifier, data.training_splits, experiment, console)
    train, val, sampling = splits["train"], splits["val"], Sampling.of(experiment)

    # 1. The model, its loss and its optimizer.
    steps = sampling.size(data.training_counts, len(train)).steps
    taught = None if teacher is None else teaching_record(teacher, training, val, console)
    model, optimizer = compiled_model(part, experiment, data, steps, teacher)
    weights = shown_class_weights(training, data, console)

    # 2. The callbacks.
    clock = Clock()
    callbacks = _callbacks(model, optimizer, _Classifiers(classifier, part), splits, experiment, steps, run, clock)
    train_as_one_device(model, optimizer)  # after the gradients are recorded: see hooks.py
    line = console.training(training.epochs, steps, training.batch_size)
    progress = EpochProgress(console, line, callbacks.history, run.path, training.epochs)
    live = LiveProgress(run.progress, training.epochs, steps, training.batch_size)
    with stop_requests() as stop, line, live:
        # 3. The state of an earlier process, and the batches from there on, which follow from the seed.
        state = TrainingState(run.state, model, callbacks.in_order, callbacks.flow, clock, training, stop)
        state.restore(console)
        put_steps_together(model, steps_at_once(part, training, steps, state.begin[1]), console)
        augmentation, classes = experiment.data.augmentation, len(data.class_names)
        batches = training_batches(
            train, sampling, experiment.seed, augmentation, training.epochs, state.begin, classes
        )

        # 4. The training itself.
        if not state.is_over:
            model.fit(
                batches,
                epochs=training.epochs,
                initial_epoch=state.begin[0],
                steps_per_epoch=steps,
                validation_data=_validation(val),
                callbacks=[*callbacks.in_order, progress, live, state],
                class_weight=weights,
                shuffle=False,  # the batches are shuffled already
                verbose=0,
            )
        seconds = clock.seconds()

        # 5. The end. A loss that is not finite leaves useless weights.
        if callbacks.non_finite.position is not None:
            raise NonFiniteLoss(_non_finite_message(callbacks, steps, training, run))
        state.finish()
        stop.raise_if_asked()
    return replace(_result(callbacks, training, seconds, state.time_limit), taught=taught)


def _validation(val: Split) -> tf.data.Dataset:
    """Return the batches of val."""
    batch_size = largest_batch_size(len(val), evaluation_batch_size(val.images.shape[1:]))
    return evaluation_batches(val.images, val.labels, batch_size)


def shown_class_weights(training: Training, data: PreparedData, console: Console) -> dict[int, float] | None:
    """Return the weight of each label, and show them; None without weights."""
    weights = class_weights(training.loss, data.training_counts, data.class_names)
    if weights is not None:
        named = (f"{name} {weights[label]:.4g}" for label, name in enumerate(data.class_names))
        console.line(f"class weights: {listing(named)}")
    return weights


def compiled_model(
    classifier: keras.Model, experiment: Experiment, data: PreparedData, steps: int, teacher: Teacher | None
) -> tuple[keras.Model, keras.optimizers.Optimizer]:
    """Return the trained part of a classifier, compiled, and its optimizer, built."""
    training, counts = experiment.training, data.training_counts
    train = data.training_splits["train"]
    teaching = None if teacher is None else Distillation(training.distill, teacher, train, experiment.seed)
    model = training_model(classifier, training.loss, len(counts), teaching)
    fuse_norms(model)
    if training.loss.multi_label:
        loss = build_multi_label_loss(training.loss, counts, data.class_names, len(train))
    else:
        loss = build_loss(training.loss, counts)
    accuracy = build_accuracy(training, decoding_of(training.decode, counts))
    optimizer = build_optimizer(training, steps, model.trainable_variables)
    model.compile(optimizer=optimizer, loss=loss, metrics=[accuracy])
    if training.sharpness_aware is not None:
        hooks.replace_train_step(model, sharpness_aware_step(training.sharpness_aware.rho))
    model.optimizer.build(model.trainable_variables)
    scale_rates(optimizer, model, family_of(experiment.model), training.fine_tune, steps / training.accumulate)
    return model, optimizer


class _Classifiers(NamedTuple):
    """The classifier that is saved, and the part of it that batches pass through: all of it, or its head alone."""

    whole: keras.Model
    part: keras.Model


class _Callbacks(NamedTuple):
    """The callbacks in their order, and those that are read after the training."""

    in_order: list[keras.callbacks.Callback]
    checkpoint: AtomicCheckpoint
    history: History
    flow: GradientFlow
    early: EarlyCurve
    non_finite: StopAtNonFiniteLoss


def _callbacks(
    model: keras.Model,
    optimizer: keras.optimizers.Optimizer,
    classifiers: _Classifiers,
    splits: dict[str, Split],
    experiment: Experiment,
    steps: int,
    run: RunFiles,
    clock: Clock,
) -> _Callbacks:
    training, val = experiment.training, splits["val"]
    is_averaged = training.average is not None or training.optimizer.ema is not None
    history, non_finite = History(clock, run.write_history), StopAtNonFiniteLoss()
    checkpoint = AtomicCheckpoint(run.model, classifiers.whole, training.checkpoint, history)
    flow = GradientFlow(model, optimizer, -(-training.epochs * steps // training.accumulate), run.write_gradients)
    batch_size, complementary = evaluation_batch_size(val.images.shape[1:]), labels_are_complementary(training)
    early = EarlyCurve(classifiers.part, val, batch_size, training.validate_at, complementary, clock, run.write_curve)
    in_order = [
        # An average of the weights comes first, so that all others see it.
        *([WeightAverage(model, optimizer, experiment, splits["train"])] if is_averaged else []),
        checkpoint,
        history,
        flow,
        *([early] if training.validate_at else []),
        *plateau_callbacks(training),
        *custom_callbacks(training.callbacks),
        TensorBoard(run.tensorboard, history),
        non_finite,
    ]
    return _Callbacks(in_order, checkpoint, history, flow, early, non_finite)


def _result(callbacks: _Callbacks, training: Training, seconds: float, time_limit: TimeLimit | None) -> TrainingResult:
    """Return what the callbacks have recorded."""
    history, kept, monitor = callbacks.history.rows, callbacks.checkpoint.kept, training.checkpoint.monitor
    is_ranked = training.checkpoint.keep == "best"
    tied = sum(row[monitor] == history[kept - 1][monitor] for row in history) if is_ranked else 1
    return TrainingResult(
        history,
        callbacks.flow.gradients(),
        callbacks.early.rows,
        kept,
        seconds,
        epochs=len(history),
        tied=max(tied, 1),
        time_limit=time_limit,
    )


def _non_finite_message(callbacks: _Callbacks, steps: int, training: Training, run: RunFiles) -> str:
    """Return the message of a loss that is not finite: its step, the layer where it began, and what to try."""
    epoch, first, last = callbacks.non_finite.position
    step = f"step {last}" if first == last else f"one of the steps {first} to {last}"
    kept = "the best checkpoint before that is kept" if run.model.exists() else "there is no checkpoint"
    where = ""
    if (gradient := callbacks.flow.first_non_finite()) is not None:
        layer, number = gradient
        in_epoch, in_step = divmod((number - 1) * training.accumulate, steps)
        step_of_epoch = f"in epoch {in_epoch + 1}, step {in_step + 1}"
        where = f"The first gradient that is not finite is that of '{layer}', {step_of_epoch}. "
    return (
        f"the loss is not finite (NaN or infinite) in epoch {epoch}, {step}; {kept}. {where}"
        f"Try a lower training.optimizer.learning_rate (now {training.optimizer.learning_rate:g}) or a clip_norm of 1"
    )
