"""The metrics of a run: one pass over each split, and the files with the results."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import keras
import numpy as np

from kerasexp.config import Experiment
from kerasexp.config.loss_section import metric_losses
from kerasexp.console import Console
from kerasexp.data.prepared_data import PreparedData
from kerasexp.evaluation.calibration import fit_temperature
from kerasexp.evaluation.complementary_metrics import complementary_metrics
from kerasexp.evaluation.confusion_counts import filled_cells
from kerasexp.evaluation.custom_metrics import CustomMetrics
from kerasexp.evaluation.metric_limits import NEIGHBOURS_SEARCHED, sampled_note, sampled_positions
from kerasexp.evaluation.metrics import compute_metrics
from kerasexp.evaluation.mistakes import confusion
from kerasexp.evaluation.multi_label_predictions import MultiLabelPredictions
from kerasexp.evaluation.predictions import Predictions, predict_split
from kerasexp.evaluation.predictions_csv import TOP, is_complete, write_predictions
from kerasexp.evaluation.retrieval import retrieval_labels, retrieval_metrics
from kerasexp.evaluation.risk_coverage import fit_reject_threshold
from kerasexp.evaluation.stroke_width_metrics import stroke_width_metrics
from kerasexp.evaluation.thresholds import fit_thresholds
from kerasexp.evaluation.tsne_coordinates import embedding_positions
from kerasexp.report.report_missing_parts import attempt
from kerasexp.runs.directory import RunDirectory
from kerasexp.runs.multi_label_results import compute_label_results
from kerasexp.runs.reject_results import reject_metrics, reject_sentence
from kerasexp.runs.results import PREDICTIONS, Results, compute_results, is_complementary
from kerasexp.runs.stroke_width_results import accuracy_by_width
from kerasexp.saving.fitted_values import write_calibration, write_thresholds
from kerasexp.storage import write_json, write_table
from kerasexp.training.training_result import TrainingResult


def validate(
    run: RunDirectory,
    model: keras.Model,
    experiment: Experiment,
    data: PreparedData,
    fitted: TrainingResult,
    console: Console,
) -> None:
    """Evaluate the saved model on val alone, and write `metrics.json`; a search must not choose by the test split."""
    val = predict_split(model, data.splits["val"], data.class_names)
    if experiment.data.multi_label:
        val = replace(val, thresholds=fit_thresholds(val.y_true, val.y_score))
    custom = CustomMetrics(experiment.metrics)
    metrics = complementary_metrics(val) if is_complementary(experiment, data) else compute_metrics(val, custom)
    write_json(run.metrics, {"val": metrics, **_of_training(fitted), **_notes([*val.notes("val"), *custom.notes])})
    console.line(f"val: accuracy {metrics['accuracy']:.4f}  loss {metrics['loss']:.4f}")


def evaluate(
    run: RunDirectory,
    model: keras.Model,
    experiment: Experiment,
    data: PreparedData,
    fitted: TrainingResult,
    manifest: dict[str, Any],
    console: Console,
) -> Results:
    """Evaluate the saved model on val and test, write metrics and predictions, and return all that the page shows.

    Raises:
        RunError: an output is not a probability, or the disk is full.
    """
    start = time.perf_counter()
    complementary, retrieves = is_complementary(experiment, data), _is_for_retrieval(experiment, data)
    val, test = predict_splits(model, experiment, data, retrieves)
    fitted_on_val = _fit_on_val(run, experiment, val, complementary)
    val, test = (with_fitted(predictions, fitted_on_val) for predictions in (val, test))
    custom = CustomMetrics(experiment.metrics)
    metrics = {
        "val": complementary_metrics(val) if complementary else compute_metrics(val, custom),
        "test": compute_metrics(test, custom),
        **fitted_on_val,
        **_of_training(fitted),
    }
    if retrieves and (retrieval := _retrieval(model, data, test)) is not None:
        metrics["retrieval"] = retrieval
    if experiment.report.reject is not None:
        metrics["reject"] = reject_metrics(
            val, test, experiment.report.reject.error, fitted_on_val["reject"]["threshold"]
        )
    stroke_widths, stroke_notes = _stroke_widths(model, experiment, data, val, console)
    metrics |= stroke_widths
    metrics |= _notes([*_all_notes(val, test, retrieves), *dict.fromkeys(custom.notes), *stroke_notes])
    write_predictions(run.predictions, test)
    _write_confusion(run, test)
    write_json(run.metrics, metrics)
    _announce(metrics, console)
    compute = results_function(experiment)
    results = compute(model, experiment, data, fitted, {"val": val, "test": test}, metrics)
    manifest["times"]["evaluate_seconds"] = round(time.perf_counter() - start, 3)
    return results


def _fit_on_val(run: RunDirectory, experiment: Experiment, val: Predictions, complementary: bool) -> dict[str, Any]:
    """Fit on val what its labels allow, save it beside the model, and return it for JSON.

    It is the temperature, with `report.reject` the threshold of an answer, and with several labels an image theirs.
    """
    if experiment.data.multi_label:
        fitted = fit_thresholds(val.y_true, val.y_score).tolist()
        thresholds = dict(zip(val.class_names, fitted, strict=True))
        write_thresholds(run.checkpoint, thresholds)
        return {"thresholds": thresholds}
    temperature, reject = 1.0 if complementary else fit_temperature(val), experiment.report.reject
    threshold = None
    if reject is not None:
        threshold = fit_reject_threshold(replace(val, temperature=temperature), reject.error)
    write_calibration(run.checkpoint, temperature, threshold)
    return {"temperature": temperature, **({} if reject is None else {"reject": {"threshold": threshold}})}


def with_fitted(predictions: Predictions, metrics: dict[str, Any]) -> Predictions:
    """Return the predictions with what was fitted on val: the `temperature` or the `thresholds` in the metrics of the run."""
    if isinstance(predictions, MultiLabelPredictions):
        thresholds = [metrics["thresholds"][name] for name in predictions.class_names]
        return replace(predictions, thresholds=np.array(thresholds))
    return replace(predictions, temperature=metrics["temperature"])


def results_function(experiment: Experiment) -> Callable[..., Results]:
    """Return the function that computes what the page of an experiment shows."""
    return compute_label_results if experiment.data.multi_label else compute_results


def predict_splits(
    model: keras.Model, experiment: Experiment, data: PreparedData, retrieves: bool = False
) -> tuple[Predictions, Predictions]:
    """Predict val and test in one pass each, and keep the features of a sample of test, a larger one for retrieval.

    Raises:
        RunError: an output is not a probability.
    """
    count = len(data.splits["test"])
    sampled = embedding_positions(count, experiment.seed)
    if retrieves:
        sampled = np.union1d(sampled, sampled_positions(count, NEIGHBOURS_SEARCHED))
    val = predict_split(model, data.splits["val"], data.class_names)
    return val, predict_split(model, data.splits["test"], data.class_names, sampled)


def _is_for_retrieval(experiment: Experiment, data: PreparedData) -> bool:
    # Class batches are for losses that compare images, and for the runs with which those losses are compared.
    training = experiment.training
    return not is_complementary(experiment, data) and bool(metric_losses(training.loss) or training.class_batches)


def _retrieval(model: keras.Model, data: PreparedData, test: Predictions) -> dict[str, Any] | None:
    train = data.training_splits["train"]
    if len(train) > NEIGHBOURS_SEARCHED:
        train = train.take(sampled_positions(len(train), NEIGHBOURS_SEARCHED))
    return retrieval_metrics(predict_split(model, train, data.class_names, np.arange(len(train))), test)


def _stroke_widths(
    model: keras.Model, experiment: Experiment, data: PreparedData, val: Predictions, console: Console
) -> tuple[dict[str, Any], list[str]]:
    """Return the metrics of `report.stroke_widths`, and notes; a failure is a note, and leaves the other metrics intact."""
    factors, failures = experiment.report.stroke_widths, []
    if not factors:
        return {}, []
    with console.bar("thinning and thickening strokes", 1) as bar:
        measured, notes = attempt(
            failures,
            PREDICTIONS,
            "stroke widths",
            lambda: stroke_width_metrics(model, experiment.data, data.splits["val"], val, factors, bar.progress),
            (None, []),
        )
    notes = [*notes, *(f"val: {failure.name} are not measured: {failure.reason}" for failure in failures)]
    return {} if measured is None else {"stroke_widths": measured}, notes


def _of_training(fitted: TrainingResult) -> dict[str, Any]:
    return {
        "epochs": fitted.epochs,
        "kept_epoch": fitted.kept,
        "tied_epochs": fitted.tied,
        "train_seconds": round(fitted.seconds, 3),
        **({"cross_validation": fitted.cross_validation} if fitted.cross_validation else {}),
    }


def _notes(notes: list[str]) -> dict[str, list[str]]:
    return {"notes": notes} if notes else {}


def _all_notes(val: Predictions, test: Predictions, retrieves: bool) -> list[str]:
    """Return the sentences on what was sampled or shortened because it would be too large."""
    found = [*val.notes("val"), *test.notes("test")]
    if isinstance(test, MultiLabelPredictions):
        return found
    for split, predictions in (("val", val), ("test", test)):
        if predictions.bounded is not predictions:
            found.append(sampled_note(f"{split}: assessment of the labels", len(predictions.bounded), len(predictions)))
    if retrieves and len(test) > NEIGHBOURS_SEARCHED:
        found.append(sampled_note("test: retrieval", len(test.sampled), len(test)))
    if not is_complete(test):
        found.append(f"predictions.csv has the {TOP} likeliest classes of each image, not all probabilities.")
    if not isinstance(confusion(test), np.ndarray):
        found.append("confusion.csv lists only the filled cells; the plot of the matrix shows blocks of classes.")
    return found


def _write_confusion(run: RunDirectory, test: Predictions) -> None:
    """Write `confusion.csv`: the matrix, or with very many classes its filled cells, one a line.

    With several labels an image, a line for each class: how many images have it or not, and are predicted to.
    """
    from sklearn.metrics import multilabel_confusion_matrix

    names = test.class_names
    if isinstance(test, MultiLabelPredictions):
        header = ["class", "true_negative", "false_positive", "false_negative", "true_positive"]
        counts = multilabel_confusion_matrix(test.y_true, test.y_pred).reshape(len(names), 4).tolist()
        write_table(run.confusion, header, ([name, *row] for name, row in zip(names, counts, strict=True)))
        return
    table = confusion(test)
    if isinstance(table, np.ndarray):
        rows = ([name, *row.tolist()] for name, row in zip(names, table, strict=True))
        write_table(run.confusion, ["true", *names], rows)
        return
    cells = zip(*(values.tolist() for values in filled_cells(table)), strict=True)
    rows = ([names[true], names[predicted], count] for true, predicted, count in cells)
    write_table(run.confusion, ["true", "predicted", "images"], rows)


def _announce(metrics: dict[str, Any], console: Console) -> None:
    accuracy = "exact match" if "thresholds" in metrics else "accuracy"
    for name in ("val", "test"):
        m = metrics[name]
        console.line(
            f"{name}: {accuracy} {m['accuracy']:.4f} (95 % interval {m['accuracy_low']:.4f} to {m['accuracy_high']:.4f})  "
            f"loss {m['loss']:.4f}  " + _summary(m, "thresholds" in metrics) + f"({m['images']} images)"
        )
    if "retrieval" in metrics:
        words = (f"{word} {value:.4f}" for word, value in retrieval_labels(metrics["retrieval"]).items())
        console.line(f"retrieval by features: {', '.join(words)}")
    if "reject" in metrics:
        console.line(reject_sentence(metrics))
    if "stroke_widths" in metrics:
        console.line(f"val by stroke width: accuracy {accuracy_by_width(metrics['stroke_widths'])}")
    for note in metrics.get("notes", ()):
        console.line(f"note: {note}")


def _summary(metrics: dict[str, Any], multi_label: bool) -> str:
    keys = {"macro_f1": "macro F1", **({"macro_average_precision": "macro AP"} if multi_label else {})}
    found = "".join(f"{label} {metrics[key]:.4f}  " for key, label in keys.items() if key in metrics)
    return found if found or multi_label else "estimated from complementary labels  "
