"""What the page of a run shows where images have several labels; each number computed once, from what was saved."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from scipy.sparse import csr_array

from kerasexp.config import Experiment
from kerasexp.data.prepared_data import PreparedData
from kerasexp.diagnosis.advice import Advice, advise
from kerasexp.diagnosis.label_doubts import label_doubts
from kerasexp.diagnosis.results import NOT_ASSESSED, Diagnosis
from kerasexp.evaluation.interpretation import Interpretation, first_and_last_kernels, interpret
from kerasexp.evaluation.mistakes import sample_predictions
from kerasexp.evaluation.multi_label_predictions import MultiLabelPredictions
from kerasexp.report.report_missing_parts import Unavailable, attempt
from kerasexp.runs.augmented_images import augmented_images
from kerasexp.runs.results import CLASSES, DATA, NETWORK, LabelResults, Results, overview_of
from kerasexp.training.training_result import TrainingResult


def compute_label_results(
    model: keras.Model | None,
    experiment: Experiment,
    data: PreparedData | None,
    fitted: TrainingResult,
    predictions: dict[str, MultiLabelPredictions],
    metrics: dict[str, Any],
    missing: str = "",
) -> Results:
    """Compute what a page shows beside the metrics, as `compute_results` does; the arguments are its own."""
    test, failures = predictions["test"], []
    diagnosis = attempt(failures, DATA, "diagnosis", lambda: _diagnosis(experiment, data, missing), None)
    interpretation = attempt(
        failures, NETWORK, "explanations", lambda: _interpretation(model, experiment, data, test, missing), None
    )
    labels = attempt(failures, CLASSES, "labels", lambda: _label_results(predictions), None)
    advice = attempt(failures, DATA, "advice", lambda: _advice(experiment, data, diagnosis), [])
    return Results(
        experiment=experiment,
        data=data,
        fitted=fitted,
        predictions=predictions,
        metrics=metrics,
        one_vs_rest=test.one_vs_rest,
        samples=sample_predictions(test, experiment.report.samples, experiment.seed),
        mistakes=worst_label_sets(test, experiment.report.mistakes),
        interpretation=interpretation,
        diagnosis=diagnosis,
        advice=advice,
        failures=failures,
        missing=missing,
        labels=labels,
        augmented=attempt(failures, DATA, "augmented", lambda: augmented_images(experiment, data, missing), None),
    )


def worst_label_sets(predictions: MultiLabelPredictions, count: int) -> np.ndarray:
    """Return positions of the images with the most wrong labels, of equals those with the most confident predictions."""
    wrong = np.flatnonzero(~predictions.correct)
    order = np.lexsort((-predictions.confidence[wrong], -predictions.wrong_labels[wrong]))
    return wrong[order][:count]


def co_occurrence(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return how many images have label i by the first labelling and label j by the second, int64 [classes, classes]."""
    return (csr_array(first.astype(np.int64)).T @ csr_array(second.astype(np.int64))).toarray()


def _label_results(predictions: dict[str, MultiLabelPredictions]) -> LabelResults:
    test = predictions["test"]
    return LabelResults(
        co_occurrence(test.y_true, test.y_true),
        co_occurrence(test.y_true, test.y_pred),
        test.y_true.sum(axis=0, dtype=np.int64),
        label_doubts(predictions["val"]) if "val" in predictions else [],
    )


def _diagnosis(experiment: Experiment, data: PreparedData | None, missing: str) -> Diagnosis:
    if data is None:
        raise Unavailable(missing)
    return Diagnosis(overview_of(data, experiment.seed), [], notes=[NOT_ASSESSED])


def _advice(experiment: Experiment, data: PreparedData | None, diagnosis: Diagnosis | None) -> list[Advice]:
    if diagnosis is None:
        return []
    return advise(diagnosis, experiment.data, data.folders, experiment.training, experiment.model)


def _interpretation(
    model: keras.Model | None,
    experiment: Experiment,
    data: PreparedData | None,
    test: MultiLabelPredictions,
    missing: str,
) -> Interpretation:
    if model is None:
        raise Unavailable(missing)
    if data is None:
        return Interpretation(None, None, first_and_last_kernels(model), 0, {})
    images, none = data.splits["test"].images, np.zeros(0, np.int64)
    example = int(sample_predictions(test, 1, experiment.seed)[0])
    return interpret(model, images[none], none, none, images[example], example)
