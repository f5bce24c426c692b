"""Everything that a run's page shows: each number computed once, from what was saved."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import keras
import numpy as np

from kerasexp.config import Experiment
from kerasexp.config.loss import metric_losses
from kerasexp.config.training import labels_are_complementary
from kerasexp.console import Console
from kerasexp.data.prepared_data import PreparedData
from kerasexp.diagnosis.advice import Advice, advise
from kerasexp.diagnosis.label_assessment import assess_with_run
from kerasexp.diagnosis.results import Diagnosis, dataset_overview
from kerasexp.evaluation.calibration import Reliability, fit_temperature, reliability
from kerasexp.evaluation.complementary_metrics import complementary_metrics
from kerasexp.evaluation.interpretation import Interpretation, interpret
from kerasexp.evaluation.metrics import compute_metrics
from kerasexp.evaluation.mistakes import ConfusedPair, confident_mistakes, confused_pairs, confusion, sample_predictions
from kerasexp.evaluation.predictions import Predictions, predict_split
from kerasexp.evaluation.retrieval import retrieval_labels, retrieval_metrics
from kerasexp.evaluation.roc import OneVsRestCurves
from kerasexp.evaluation.tsne import embed, sample_positions
from kerasexp.runs.directory import RunDirectory
from kerasexp.saving.checkpoint import load_checkpoint, write_temperature
from kerasexp.storage import csv_text, write_json, write_text
from kerasexp.training.training_result import TrainingResult

EXPLAINED, LISTED_PAIRS = 8, 20


@dataclass(frozen=True)
class Results:
    """A finished training, and what came of the one pass over each split.

    Attributes:
        experiment, data, fitted: what was run.
        predictions: of `val` and `test`.
        metrics: the content of `metrics.json`.
        confusion: int64 [classes, classes] of test, a row per true class.
        one_vs_rest: curves of each class of test against the rest.
        reliability: of test, before and after temperature scaling.
        samples: positions of right and wrong test images drawn at random, the right ones first.
        mistakes: positions of the most confident mistakes, the most confident first.
        pairs: of classes with the most mistakes between them, the most first.
        interpretation: what the network has learned and looks at.
        embedding: test features in the plane, float [n, 2], and the method's name; None where there are too few.
        diagnosis: what is odd about the data, and about the labels of val, which the model has not learned from.
        advice: what to change in the experiment.
    """

    experiment: Experiment
    data: PreparedData
    fitted: TrainingResult
    predictions: dict[str, Predictions]
    metrics: dict[str, Any]
    confusion: np.ndarray
    one_vs_rest: OneVsRestCurves
    reliability: tuple[Reliability, Reliability]
    samples: np.ndarray
    mistakes: np.ndarray
    pairs: list[ConfusedPair]
    interpretation: Interpretation
    embedding: tuple[np.ndarray, str] | None
    diagnosis: Diagnosis
    advice: list[Advice]

    @property
    def test(self) -> Predictions:
        return self.predictions["test"]

    def images(self, positions: np.ndarray) -> np.ndarray:
        """Return the test images at these positions."""
        return self.data.splits["test"].images[positions]


def validate(
    run: RunDirectory,
    experiment: Experiment,
    data: PreparedData,
    fitted: TrainingResult,
    manifest: dict[str, Any],
    console: Console,
) -> None:
    """Evaluate on val alone, and write `metrics.json`: what chooses must not see the test split."""
    val = predict_split(load_checkpoint(run.checkpoint).model, data.splits["val"], data.class_names)
    metrics = complementary_metrics(val) if _is_complementary(experiment, data) else compute_metrics(val)
    write_json(run.metrics, {"val": metrics, **_of_training(fitted)})
    manifest["times"] |= {"train_seconds": round(fitted.seconds, 3)}
    console.line(f"val: accuracy {metrics['accuracy']:.4f}  loss {metrics['loss']:.4f}")


def evaluate(
    run: RunDirectory,
    experiment: Experiment,
    data: PreparedData,
    fitted: TrainingResult,
    manifest: dict[str, Any],
    console: Console,
) -> Results:
    """Evaluate the saved checkpoint on val and test, write metrics and predictions, and return everything that is shown.

    Raises:
        RunError: the disk is full.
    """
    start = time.perf_counter()
    model = load_checkpoint(run.checkpoint).model
    complementary, retrieves = _is_complementary(experiment, data), _is_for_retrieval(experiment, data)
    count = len(data.splits["test"])
    sampled = sample_positions(count, experiment.seed)
    val = predict_split(model, data.splits["val"], data.class_names)
    test = predict_split(model, data.splits["test"], data.class_names, np.arange(count) if retrieves else sampled)
    temperature = 1.0 if complementary else fit_temperature(val)
    val, test = (replace(predictions, temperature=temperature) for predictions in (val, test))
    metrics = {
        "val": complementary_metrics(val) if complementary else compute_metrics(val),
        "test": compute_metrics(test),
        "temperature": temperature,
        **_of_training(fitted),
    }
    if retrieves and (retrieval := _retrieval(model, data, test)) is not None:
        metrics["retrieval"] = retrieval
    test, one_vs_rest = test.sampling(sampled), test.one_vs_rest
    table = confusion(test)
    write_temperature(run.checkpoint, temperature)
    write_text(run.predictions, test.to_csv())
    rows = ([name, *row.tolist()] for name, row in zip(data.class_names, table, strict=True))
    write_text(run.confusion, csv_text(["true", *data.class_names], rows))
    write_json(run.metrics, metrics)
    _announce(metrics, console)
    results = _shown(model, experiment, data, fitted, {"val": val, "test": test}, metrics, table, one_vs_rest)
    manifest["times"] |= {
        "train_seconds": metrics["train_seconds"],
        "evaluate_seconds": round(time.perf_counter() - start, 3),
    }
    return results


def _shown(
    model: keras.Model,
    experiment: Experiment,
    data: PreparedData,
    fitted: TrainingResult,
    predictions: dict[str, Predictions],
    metrics: dict[str, Any],
    table: np.ndarray,
    one_vs_rest: OneVsRestCurves,
) -> Results:
    """Compute what a page shows beside the metrics."""
    test, images = predictions["test"], data.splits["test"].images
    mistakes = confident_mistakes(test, experiment.report.mistakes)
    samples = sample_predictions(test, experiment.report.samples, experiment.seed)
    explained, example = mistakes[:EXPLAINED], int(sample_predictions(test, 1, experiment.seed)[0])
    # The embedding takes as long as all the rest, and hardly needs Python's lock.
    with ThreadPoolExecutor(max_workers=1) as thread:
        embedding = thread.submit(embed, test.features, experiment.seed)
        diagnosis = Diagnosis(
            dataset_overview(data.splits, data.class_names, experiment.seed),
            assess_with_run(predictions["val"], test, trained_on_labels=not _is_complementary(experiment, data)),
        )
        interpretation = interpret(
            model, images[explained], test.y_pred[explained], test.y_true[explained], images[example], example
        )
    return Results(
        experiment,
        data,
        fitted,
        predictions,
        metrics,
        table,
        one_vs_rest,
        (reliability(test), reliability(test.calibrated)),
        samples,
        mistakes,
        confused_pairs(test, LISTED_PAIRS),
        interpretation,
        embedding.result(),
        diagnosis,
        advise(diagnosis, experiment.data, data.folders, experiment.training),
    )


def _is_complementary(experiment: Experiment, data: PreparedData) -> bool:
    """Whether labels of val say what an image is NOT; then they cannot tell how sure a prediction should be."""
    return labels_are_complementary(experiment.training) or bool(data.pseudo_labelled)


def _is_for_retrieval(experiment: Experiment, data: PreparedData) -> bool:
    # Batches of so many images of each class are for losses that compare images, and for what these are compared with.
    training = experiment.training
    return not _is_complementary(experiment, data) and bool(metric_losses(training.loss) or training.class_batches)


def _retrieval(model: keras.Model, data: PreparedData, test: Predictions) -> dict[str, Any] | None:
    train = data.training_splits["train"]
    return retrieval_metrics(predict_split(model, train, data.class_names, np.arange(len(train))), test)


def _of_training(fitted: TrainingResult) -> dict[str, Any]:
    return {
        "epochs": fitted.epochs,
        "kept_epoch": fitted.kept,
        "train_seconds": round(fitted.seconds, 3),
        **({"cross_validation": fitted.cross_validation} if fitted.cross_validation else {}),
    }


def _announce(metrics: dict[str, Any], console: Console) -> None:
    for name in ("val", "test"):
        m = metrics[name]
        console.line(
            f"{name}: accuracy {m['accuracy']:.4f} (95 % interval {m['accuracy_low']:.4f} to {m['accuracy_high']:.4f})  "
            f"loss {m['loss']:.4f}  "
            + (f"macro F1 {m['macro_f1']:.4f}  " if "macro_f1" in m else "estimated from complementary labels  ")
            + f"({m['images']} images)"
        )
    if "retrieval" in metrics:
        words = (f"{word} {value:.4f}" for word, value in retrieval_labels(metrics["retrieval"]).items())
        console.line(f"retrieval by features: {', '.join(words)}")
