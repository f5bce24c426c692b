"""`report`: draw the plots and the page of a finished run again, from what the run saved."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np

from kerasexp.config import Experiment
from kerasexp.console import Console
from kerasexp.custom.trust import approve
from kerasexp.data.load_data import prepare_data
from kerasexp.data.prepared_data import PreparedData
from kerasexp.errors import KerasexpError, UserError
from kerasexp.evaluation.predictions import Predictions
from kerasexp.evaluation.predictions_csv import is_complete, read_predictions
from kerasexp.runs.directory import RunDirectory
from kerasexp.runs.finished_run import (
    FinishedRun,
    class_names,
    early_rows,
    gradients_of,
    history_rows,
    is_unfinished,
    locate,
    read_finished,
)
from kerasexp.runs.page import write_report
from kerasexp.runs.run_metrics import predict_splits, results_function, with_fitted
from kerasexp.runs.run_relabelling import relabelled
from kerasexp.runs.unfinished_run import draw_unfinished
from kerasexp.saving.checkpoint import load_checkpoint
from kerasexp.storage import write_json
from kerasexp.training.training_result import TrainingResult


def redraw(path: Path, console: Console, trust_code: bool = False) -> RunDirectory:
    """Draw the plots and `report.html` of a run again, and return its directory; see `draw_unfinished` for an unfinished one.

    Metrics and the probabilities of test are those that were saved. Val, and the features of test, are predicted again with
    the checkpoint. Where the images or the checkpoint are no longer available, the page says which plots are missing.

    Raises:
        UserError: there is no run, one of its files is missing or damaged, no epoch of an unfinished one has ended, or it has
            code that is not trusted.
        RunError: the disk is full.
    """
    found = locate(path, or_unfinished=True)
    if is_unfinished(found):
        draw_unfinished(found, console)
        return found
    finished = read_finished(found.path)
    approve(finished.experiment, finished.directory.experiment, trust_code)
    run, manifest = finished.directory, finished.manifest
    experiment, metrics = finished.experiment, finished.metrics
    thresholds = np.array(list(metrics["thresholds"].values())) if experiment.data.multi_label else None
    saved = with_fitted(read_predictions(run.predictions, class_names(metrics), thresholds), metrics)
    with run.locked():
        model, no_model = _model(run)
        data, no_data = _data(experiment, finished, console)
        if no_data or no_model:
            needed = "the images" if no_data else "the checkpoint"
            console.line(f"plots that need {needed} are left out: {no_data or no_model}")
        predictions = {"test": saved}
        if model is not None and data is not None:
            val, test = predict_splits(model, experiment, data)
            if test.names == saved.names:
                predictions = {"val": with_fitted(val, metrics), "test": _with_features(saved, test, metrics)}
        run.make_folders()
        missing = no_data or no_model
        results = results_function(experiment)(
            model, experiment, data, _fitted(finished), predictions, finished.metrics, missing
        )
        write_report(run, results, manifest, console)
        write_json(run.manifest, manifest)
    return run


def _with_features(saved: Predictions, predicted: Predictions, metrics: dict[str, Any]) -> Predictions:
    if not is_complete(saved):
        return with_fitted(predicted, metrics)
    return replace(saved, sampled=predicted.sampled, features=predicted.features)


def _model(run: RunDirectory) -> tuple[keras.Model | None, str]:
    """Return the run's model, or None and the reason."""
    try:
        return load_checkpoint(run.checkpoint).model, ""
    except UserError as error:
        return None, str(error)


def _data(experiment: Experiment, finished: FinishedRun, console: Console) -> tuple[PreparedData | None, str]:
    """Return the data as the run had them, or None and the reason."""
    try:
        data = prepare_data(experiment, console)
        init = finished.manifest["init"]
        data = relabelled(experiment, data, Path(init["run"], "checkpoint") if init else None)
    except KerasexpError as error:
        return None, str(error)
    if data.split_digests != finished.manifest["data"]["identities"]:
        return None, "the data have changed since the run"
    return data, ""


def _fitted(finished: FinishedRun) -> TrainingResult:
    """Return the results of the training from the run's files."""
    metrics, run = finished.metrics, finished.directory
    return TrainingResult(
        history_rows(run),
        gradients_of(run),
        early_rows(run),
        metrics["kept_epoch"],
        metrics["train_seconds"],
        metrics.get("cross_validation", []),
        metrics["epochs"],
        metrics.get("tied_epochs", 1),
    )
