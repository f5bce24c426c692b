"""The manifest of a run: what it is, what it was made of, how far it has come, and how it ended."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

from kerasexp.config import Experiment, load_experiment, resolved_yaml
from kerasexp.config.code_keys import custom_parts
from kerasexp.config.model_section import classical_head
from kerasexp.config.training_section import Training
from kerasexp.console import Console, Started
from kerasexp.custom.code_copies import copied_code
from kerasexp.custom.code_import import code_error
from kerasexp.data.data_requirements import absence
from kerasexp.data.prepared_data import PreparedData
from kerasexp.environment import hardware, now, versions
from kerasexp.errors import Interrupted, KerasexpError, RunError, UserError
from kerasexp.models.flops import flops
from kerasexp.runs.directory import RunDirectory
from kerasexp.runs.identity import NUMERICS_VERSION, Identity
from kerasexp.runs.provenance import provenance
from kerasexp.runs.run_request import Upstream
from kerasexp.storage import write_json, write_text
from kerasexp.training.initial_model import InitialModel
from kerasexp.training.interruption import interrupted_by
from kerasexp.training.training_result import TrainingResult


def describe(
    experiment: Experiment, identity: Identity, data: PreparedData, upstream: Upstream | None, model: InitialModel
) -> dict[str, Any]:
    """Return the manifest of a run that is about to begin, as plain JSON values."""
    init = {"run": str(upstream.run.path), "key": upstream.key, "layers": model.copied} if upstream else None
    return {
        "status": "running",
        "stand_ins": [*([data.stand_in] if data.stand_in else []), *(upstream.stand_ins if upstream else [])],
        "name": experiment.name,
        "key": identity.run,
        "resume_key": identity.resume,
        "numerics_version": NUMERICS_VERSION,
        "seed": experiment.seed,
        "precision": model.precision,
        "devices": model.devices,
        "parameters": model.classifier.count_params(),
        "flops": flops(model.classifier),
        "data": {
            "origin": data.origin,
            "fingerprint": data.fingerprint,
            "identities": data.split_digests,
            "notes": data.notes,
            **_ranges(data),
            "label_edits": data.edits,
            "absence": absence(data),
            "class_names": data.class_names,
            "images": {name: len(split) for name, split in data.splits.items()},
            "accounting": data.accounting,
            "left_out": [{"file": name, "reason": reason} for name, reason in data.faults],
        },
        "weights": model.weights,
        "code": [{"key": key, "code": part.name, "sha256": part.digest} for key, part in custom_parts(experiment)],
        "init": init,
        "versions": versions(),
        "hardware": hardware(),
        "provenance": provenance().manifest_entry(),
        "times": {"started": now(), "data_seconds": round(data.seconds, 3)},
    }


def _ranges(data: PreparedData) -> dict[str, Any]:
    """Return the range of the stored values, and that of test if it differs; empty for 0..255."""
    found = {"range": data.value_range, "test_range": data.value_ranges.get("test")}
    if found["test_range"] == found["range"]:
        del found["test_range"]
    return {key: {"low": r.low, "high": r.high, "source": r.source} for key, r in found.items() if r is not None}


def record_training(manifest: dict[str, Any], experiment: Experiment, fitted: TrainingResult, console: Console) -> None:
    """Record the training time, the kept epoch, the number of tied epochs and a limit of time; print tie and limit."""
    manifest["times"]["train_seconds"] = round(fitted.seconds, 3)
    if not fitted.epochs:  # a classical head has no epochs
        return
    if fitted.taught is not None:
        manifest["distillation"] = fitted.taught
    kept = experiment.training.checkpoint
    manifest["kept_epoch"] = {
        "epoch": fitted.kept,
        "keep": kept.keep,
        "monitor": kept.monitor,
        "tied_epochs": fitted.tied,
    }
    if (tie := fitted.tie(kept.monitor)) is not None:
        console.line(tie)
    if fitted.time_limit is not None:
        manifest["time_limit"] = asdict(fitted.time_limit)
        console.line(f"{fitted.time_limit}; --resume with a larger limit continues")


@contextmanager
def recorded(
    run: RunDirectory, manifest: dict[str, Any], experiment: Experiment, console: Console, is_resumed: bool
) -> Iterator[None]:
    """Lock the run's directory during the block, and write to its manifest how the block ends.

    Raises:
        DirectoryInUse: another process writes to it.
        RunError, Interrupted: an expected failure of the block, in a user's words; a bug is raised unchanged.
    """
    with run.locked():
        epochs = None if classical_head(experiment.model) is not None else experiment.training.epochs
        console.show(Started("run", experiment.name, run.path, is_resumed, epochs))
        if is_resumed:
            _continue(run, manifest, experiment, console)
        copied = copied_code((part for _, part in custom_parts(experiment)), run.path)
        write_text(run.experiment, resolved_yaml(experiment, copied))
        write_json(run.manifest, manifest)
        if not is_resumed:
            provenance().write_diff(run)
        try:
            yield
            manifest["status"] = "finished"
        except BaseException as error:
            reported = _as_run_error(error, experiment)
            manifest["status"] = "interrupted" if isinstance(reported, Interrupted) else "failed"
            manifest["cause"] = str(reported) or type(reported).__name__
            if reported is error:
                raise
            raise reported from None
        finally:
            manifest["times"]["finished"] = now()
            _write_last(run, manifest)


def _continue(run: RunDirectory, manifest: dict[str, Any], experiment: Experiment, console: Console) -> None:
    """Prepare an unfinished run's directory, keep its start time, and print what changes."""
    run.make_folders()
    run.sweep()
    before = run.read_manifest()
    if not before:
        return
    manifest["times"]["started"] = before["times"]["started"]
    manifest["resumed"] = [*before.get("resumed", []), now()]
    manifest["continues_finished"] = before.get("continues_finished", False) or before.get("status") == "finished"
    # The diff in the directory is that of the beginning.
    manifest["provenance"], manifest["resumed_by"] = before.get("provenance"), manifest["provenance"]
    epochs, planned = experiment.training.epochs, load_experiment(run.experiment).training.epochs
    schedule = experiment.training.schedule
    stretched_from = planned if epochs != planned and _follows_length(experiment.training) else None
    if (stretched_from := stretched_from or before.get("stretched_from")) is not None:
        manifest["stretched_from"] = stretched_from
    if epochs != planned:
        console.line(f"training.epochs changes from {planned} to {epochs}")
        if schedule.name in ("cosine", "one_cycle"):
            console.line(
                f"the {schedule.name} schedule now spans {epochs} epochs; from here on the learning rate is that of a training "
                "of this length"
            )


def _follows_length(training: Training) -> bool:
    """Return whether the learning rate of a step, or what is averaged, depends on the number of epochs."""
    schedule, average = training.schedule, training.average
    is_shaped = schedule.name in ("cosine", "one_cycle") or getattr(schedule, "warmup", 0) > 0
    return is_shaped or (average is not None and average.name == "swa")


def _as_run_error(error: BaseException, experiment: Experiment) -> BaseException:
    """Return a system error as one of ours that says what to do; return any other error unchanged."""
    import tensorflow as tf

    if isinstance(error, KeyboardInterrupt):
        return interrupted_by(error)
    if isinstance(error, tf.errors.OpError) and "Summary" in error.message:
        reason = error.message.partition("}} ")[2].partition("\n")[0]
        return RunError(f"TensorBoard's files cannot be written: {reason}")
    if isinstance(error, MemoryError | tf.errors.ResourceExhaustedError):
        batch = experiment.training.batch_size
        return RunError(f"out of memory with training.batch_size {batch}; try half of it, or smaller images")
    if (of_user := code_error(error)) is not None and not isinstance(error, KerasexpError):
        return of_user
    if isinstance(error, UserError):
        # The request was valid when the run began; since then its files have been removed or damaged.
        return RunError(str(error))
    if isinstance(error, OSError):
        return RunError(f"{error.filename or 'a file'}: {error.strerror or error}")
    return error


def _write_last(run: RunDirectory, manifest: dict[str, Any]) -> None:
    try:
        write_json(run.manifest, manifest)
    except KerasexpError:
        # What stopped the run may be a full disk, whose error must not be hidden by this one.
        if manifest["status"] == "finished":
            raise
