"""One run, from the experiment to the report: experiment -> data -> model -> training -> evaluation -> plots -> report."""

from __future__ import annotations

import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from kerasexp.config import Experiment, resolved_yaml
from kerasexp.config.head import ZeroShot
from kerasexp.config.head_rules import head_without_steps
from kerasexp.console import Console
from kerasexp.data.load import absence, fitting_data
from kerasexp.data.prepared_data import PreparedData, hold, is_held, key_of
from kerasexp.environment import hardware, now, versions
from kerasexp.errors import Interrupted, KerasexpError, RunError, UserError
from kerasexp.runs.directory import RunDirectory, earlier_runs
from kerasexp.runs.identity import Identity, identify
from kerasexp.runs.resume import copy_finished, copy_run, is_finished, reopen, unfinished_run
from kerasexp.saving.checkpoint import load_checkpoint
from kerasexp.storage import write_json, write_text
from kerasexp.training.interruption import interruption_is_an_error

# Trains a model and writes what came of it: `train_and_judge` or `train_and_validate`.
Judge = Callable[[Any], None]


@dataclass
class Upstream:
    """A finished run to start from; what stood in for what there concerns the run that starts from it."""

    run: RunDirectory
    identity: Identity
    stand_ins: list[str] = field(default_factory=list)


def run_experiment(
    experiment: Experiment,
    run_dir: Path | None,
    console: Console,
    resume: bool = False,
    earlier: Sequence[Path] = (),
) -> RunDirectory:
    """Run one experiment to its end and return its directory.

    Args:
        experiment: resolved and validated.
        run_dir: the directory to make; None for the next number below `runs/<name>`.
        console: where progress is shown.
        resume: go on with an unfinished run of the same content and data where there is one, upstream runs included; or
            with a finished one for more epochs.
        earlier: directories of runs, of which one that is this very run is copied to `run_dir` where nothing is there.

    Raises:
        UserError: the experiment does not fit its data, its upstream or the directory; nothing is left behind then.
        RunError: the run failed; its manifest says why.
        Interrupted: it was asked to stop; its state is saved.
    """
    if run_dir is not None and not resume:
        RunDirectory.refuse_occupied(run_dir)
    with interruption_is_an_error():
        data, seconds = fitting_data(experiment, console)
        upstream = None if experiment.init is None else run_upstream(experiment, console, resume)
        return _start_or_resume(experiment, data, seconds, upstream, run_dir, console, resume, earlier)


def run_trial(experiment: Experiment, folder: Path, parent: Path | None, console: Console) -> RunDirectory:
    """Run one trial of a search, which is judged on `val` alone, and return its directory; raises as `run_experiment`.

    Args:
        experiment: resolved and validated.
        folder: the directory to make or to go on with.
        parent: the directory of a trial of fewer epochs, from whose end this one goes on; None to begin at the first.
        console: where progress is shown.
    """
    from kerasexp.runs.results import train_and_validate

    if parent is not None and not folder.exists():
        copy_run(parent, folder)
    with interruption_is_an_error():
        data, seconds = fitting_data(experiment, console)
        # The next trial most often learns from the same.
        if not is_held(experiment.data):
            hold({key_of(experiment.data): data})
        upstream = None if experiment.init is None else run_upstream(experiment, console, True)
        return _start_or_resume(experiment, data, seconds, upstream, folder, console, True, judge=train_and_validate)


def _start_or_resume(
    experiment: Experiment,
    data: PreparedData,
    seconds: float,
    upstream: Upstream | None,
    run_dir: Path | None,
    console: Console,
    resume: bool,
    earlier: Sequence[Path] = (),
    judge: Judge | None = None,
) -> RunDirectory:
    from kerasexp.runs.results import train_and_judge

    keys = identify(experiment, data, upstream and upstream.identity)
    if run_dir is not None and not run_dir.exists():
        copy_finished(keys, earlier, run_dir)
    found = unfinished_run(experiment, keys, run_dir) if resume or run_dir is None else None
    if found is not None and not resume:
        console.line(f"{found.path} holds the same run, unfinished; --resume goes on with it")
        found = None
    if found is not None and is_finished(found, keys):
        console.line(f"{found.path} has finished already")
        return found
    return _run(experiment, data, seconds, upstream, keys, run_dir, found, console, judge or train_and_judge)


def run_upstream(experiment: Experiment, console: Console, resume: bool) -> Upstream:
    """Return the run that an experiment starts from: a finished one of the same content and data, or else a new one.

    Raises as `run_experiment`.
    """
    upstream = experiment.init.experiment
    data, seconds = fitting_data(upstream, console)
    before = None if upstream.init is None else run_upstream(upstream, console, resume)
    keys = identify(upstream, data, before and before.identity)
    run = next((r for r in earlier_runs(upstream.name) if is_finished(r, keys)), None)
    if run is not None:
        console.line(f"starting from {run.path}, which has run before")
    else:
        console.line(f"running {upstream.name} first, to start from it")
        run = _start_or_resume(upstream, data, seconds, before, None, console, resume)
    return Upstream(run, keys, run.read_manifest().get("stand_ins", []))


def _run(
    experiment: Experiment,
    data: PreparedData,
    data_seconds: float,
    upstream: Upstream | None,
    keys: Identity,
    run_dir: Path | None,
    unfinished: RunDirectory | None,
    console: Console,
    judge: Judge,
) -> RunDirectory:
    """Build, train, evaluate and report, in a new directory or an unfinished one; keep the manifest true to what happens."""
    import keras

    from kerasexp.models.flops import flops
    from kerasexp.runs.results import Ready
    from kerasexp.training.devices import names_of, strategy_of
    from kerasexp.training.precision import choose_precision, make_deterministic, use_precision

    # 1. Seeds and number format, before the first weight is drawn.
    keras.utils.set_random_seed(experiment.seed)
    make_deterministic()
    precision = choose_precision(experiment.training.precision)
    use_precision(precision)

    # 2. The model and the weights that it starts from, on every device that is to train it.
    strategy = strategy_of(experiment, data.train_counts)
    with strategy.scope():
        model, weights, copied = build_initialised(experiment, data, upstream)

    # 3. The run directory. All that could be wrong with the request is known by now.
    run = unfinished or RunDirectory.create(experiment.name, run_dir)
    with run.held():
        stand_ins = [*([data.stand_in] if data.stand_in else []), *(upstream.stand_ins if upstream else [])]
        manifest: dict[str, Any] = {
            "status": "running",
            "stand_ins": stand_ins,
            "name": experiment.name,
            "key": keys.run,
            "resume_key": keys.resume,
            "seed": experiment.seed,
            "precision": precision,
            "devices": names_of(strategy),
            "parameters": model.count_params(),
            "flops": flops(model),
            "data": {
                "origin": data.origin,
                "fingerprint": data.fingerprint,
                "identities": data.identities,
                "label_edits": data.edits,
                "absence": absence(data),
                "class_names": data.class_names,
                "images": {name: len(split) for name, split in data.splits.items()},
                "left_out": [{"file": name, "reason": reason} for name, reason in data.faults],
            },
            "weights": weights,
            "init": None
            if upstream is None
            else {"run": str(upstream.run.path), "key": upstream.identity.run, "layers": copied},
            "versions": versions(),
            "hardware": hardware(),
            "times": {"started": now(), "data_seconds": round(data_seconds, 3)},
        }
        if unfinished is not None:
            reopen(unfinished, experiment, manifest, console)
        write_text(run.experiment, resolved_yaml(experiment))
        write_json(run.manifest, manifest)
        try:
            judge(Ready(experiment, *_answered(experiment, data, upstream), model, run, manifest, console))
            manifest["status"] = "finished"
        except BaseException as error:
            told = _told(error, experiment)
            manifest["status"] = "interrupted" if isinstance(told, Interrupted) else "failed"
            manifest["cause"] = str(told) or type(told).__name__
            if told is error:
                raise
            raise told from None
        finally:
            manifest["times"]["finished"] = now()
            _write_last(run, manifest)
    return run


def build_initialised(experiment: Experiment, data: PreparedData, upstream: Upstream | None):
    """Build the model, with weights from a file and from upstream where there are any, and freeze what is not trained.

    Returns:
        The model, where weights from a file are from or None, and the names of the layers that have theirs from upstream.
    """
    from kerasexp.models import classifier_of
    from kerasexp.training.fine_tuning import freeze_below
    from kerasexp.training.initial_weights import start_from
    from kerasexp.training.pretrained_weights import load_pretrained

    model = classifier_of(experiment, data.class_names, data.train_counts)
    weights = load_pretrained(model, experiment.model)
    copied = (
        [] if upstream is None else start_from(model, load_checkpoint(upstream.run.checkpoint).model, experiment.init)
    )
    freeze_below(model, experiment.training.fine_tune)
    return model, weights, copied


def _answered(
    experiment: Experiment, data: PreparedData, upstream: Upstream | None
) -> tuple[PreparedData, PreparedData]:
    """Return the data that are judged on and those that are learned from.

    Their classes are what the model may answer. What is learned from has the upstream model's guesses for labels where the
    experiment asks for it.
    """
    from kerasexp.runs.pseudo_labels import pseudo_labelled

    match head_without_steps(experiment):
        case (_, ZeroShot() as zero_shot):
            data = replace(data, class_names=zero_shot.answers(data.class_names))
    if upstream is None or not experiment.init.pseudo_labels:
        return data, data
    return data, pseudo_labelled(data, load_checkpoint(upstream.run.checkpoint).model)


def _told(error: BaseException, experiment: Experiment) -> BaseException:
    """Return the error in a user's words where it is one of the machine's; an error of ours or a bug is left as it is."""
    import tensorflow as tf

    if isinstance(error, KeyboardInterrupt):
        return Interrupted(signal.SIGINT)
    if isinstance(error, tf.errors.OpError) and "Summary" in error.message:
        reason = error.message.partition("}} ")[2].partition("\n")[0]
        return RunError(f"TensorBoard's files cannot be written: {reason}")
    if isinstance(error, MemoryError | tf.errors.ResourceExhaustedError):
        batch = experiment.training.batch_size
        return RunError(f"the memory is used up at training.batch_size {batch}; try half of it, or smaller images")
    if isinstance(error, UserError):
        # The request was right when the run began: since then its files have gone or been spoilt.
        return RunError(str(error))
    if isinstance(error, OSError):
        return RunError(f"{error.filename or 'a file'}: {error.strerror or error}")
    return error


def _write_last(run: RunDirectory, manifest: dict[str, Any]) -> None:
    try:
        write_json(run.manifest, manifest)
    except KerasexpError:
        # What stopped the run may be a full disk: its error must not be hidden by this one.
        if manifest["status"] == "finished":
            raise
