"""Everything that a run's page shows: each number computed once, from what was saved."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Protocol

import keras
import numpy as np

from kerasexp.config import Experiment
from kerasexp.config.training_section import labels_are_complementary
from kerasexp.data.prepared_data import PreparedData
from kerasexp.diagnosis.advice import Advice, advise
from kerasexp.diagnosis.label_assessment import assess_with_run
from kerasexp.diagnosis.label_doubts import LabelDoubt
from kerasexp.diagnosis.results import DatasetOverview, Diagnosis, dataset_overview
from kerasexp.evaluation.calibration import Reliability, reliability
from kerasexp.evaluation.confusion_counts import Table
from kerasexp.evaluation.interpretation import Interpretation, first_and_last_kernels, interpret
from kerasexp.evaluation.mistakes import ConfusedPair, confident_mistakes, confused_pairs, confusion, sample_predictions
from kerasexp.evaluation.predictions import NONE, Predictions
from kerasexp.evaluation.risk_coverage import RiskCoverage, curve_of
from kerasexp.evaluation.roc import OneVsRestCurves
from kerasexp.evaluation.tsne_coordinates import embed, embedding_positions
from kerasexp.report.report_missing_parts import Failure, Unavailable, attempt
from kerasexp.runs.augmented_images import AugmentedImages, augmented_images
from kerasexp.training.training_result import TrainingResult

# Sections of the page, in its order.
TRAINING, PREDICTIONS, CLASSES = "Training", "Predictions", "Classes"
PROBABILITIES, NETWORK, DATA = "Probabilities", "Inside the network", "Data"
SECTIONS = (TRAINING, PREDICTIONS, CLASSES, PROBABILITIES, NETWORK, DATA)
EXPLAINED, LISTED_PAIRS = 8, 20


class Trained(Protocol):
    """What the plots of a training need: that of a finished run, or of one that has not ended."""

    experiment: Experiment
    fitted: TrainingResult
    metrics: dict[str, Any]


@dataclass(frozen=True)
class LabelResults:
    """What a page shows of several labels an image.

    Attributes:
        true_with_true, true_with_predicted: int64 [classes, classes], number of test images that have the label of the row and
            the one of the column, or are predicted to have the latter.
        support: int64 [classes], test images of each label.
        errors: of val, labels that are likely wrong, the likeliest first.
    """

    true_with_true: np.ndarray
    true_with_predicted: np.ndarray
    support: np.ndarray
    errors: list[LabelDoubt]


@dataclass(frozen=True, kw_only=True)
class Results:
    """What a run's page shows: the training, the predictions, and what follows from them.

    What has a default has it where its computation failed, or where the kind of labels has no such result.

    Attributes:
        experiment, data, fitted: what was run; `data` is None where the images are not available any more.
        predictions: of `val` and `test`; of `test` alone where the images are not available.
        metrics: the content of `metrics.json`.
        one_vs_rest: curves of each class of test against the rest.
        samples: positions of right and wrong test images drawn at random, the right ones first.
        mistakes: positions of the most confident mistakes, the most confident first.
        confusion: int64 [classes, classes] of test, a row per true class; sparse with many classes.
        reliability: of test, before and after temperature scaling.
        risk_coverage: of each split whose labels say what an image is: share answered against error among these.
        pairs: of classes with the most mistakes between them, the most first.
        interpretation: what the network has learned and looks at.
        embedding: returns test features in the plane, float [n, 2], and the method's name, or None where there are too few;
            raises what has failed. It is called last, as it may have to wait.
        embedded: int64 [n], positions of these images.
        diagnosis: what is odd about the data, and about the labels of val, which the model has not learned from.
        advice: what to change in the experiment.
        failures: what could not be computed, and why.
        missing: why the images are not available; "" where they are.
        labels: what a page shows of several labels an image; None with one label an image.
        augmented: training images as the network saw them; None where they are not augmented.
    """

    experiment: Experiment
    data: PreparedData | None
    fitted: TrainingResult
    predictions: dict[str, Predictions]
    metrics: dict[str, Any]
    one_vs_rest: OneVsRestCurves
    samples: np.ndarray
    mistakes: np.ndarray
    confusion: Table = field(default_factory=lambda: np.zeros((0, 0), np.int64))
    reliability: tuple[Reliability, Reliability] | None = None
    risk_coverage: dict[str, RiskCoverage] = field(default_factory=dict)
    pairs: list[ConfusedPair] = field(default_factory=list)
    interpretation: Interpretation | None = None
    embedding: Callable[[], tuple[np.ndarray, str] | None] = lambda: None  # noqa: E731
    embedded: np.ndarray = field(default_factory=NONE.copy)
    diagnosis: Diagnosis | None = None
    advice: list[Advice] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    missing: str = ""
    labels: LabelResults | None = None
    augmented: AugmentedImages | None = None

    @property
    def test(self) -> Predictions:
        return self.predictions["test"]

    def images(self, positions: np.ndarray) -> np.ndarray:
        """Return the test images at these positions.

        Raises:
            Unavailable: there are none any more.
        """
        if self.data is None:
            raise Unavailable(self.missing)
        return self.data.splits["test"].images[positions]


def compute_results(
    model: keras.Model | None,
    experiment: Experiment,
    data: PreparedData | None,
    fitted: TrainingResult,
    predictions: dict[str, Predictions],
    metrics: dict[str, Any],
    missing: str = "",
) -> Results:
    """Compute what a page shows beside the metrics; a failure leaves the rest intact and is listed in `failures`.

    Args:
        model: the checkpoint's; None where it cannot be loaded.
        experiment, data, fitted: what was run; `data` None where the images are not available.
        predictions: of val and test, or of test alone.
        metrics: the content of `metrics.json`.
        missing: why there is no model, or there are no images.
    """
    test, seed, failures = predictions["test"], experiment.seed, []
    embedded = test.sampling(embedding_positions(len(test), seed))
    mistakes = confident_mistakes(test, experiment.report.mistakes)
    embedding = _embedding(experiment, embedded, missing)
    diagnosis = attempt(failures, DATA, "diagnosis", lambda: _diagnosis(experiment, data, predictions, missing), None)
    interpretation = attempt(
        failures,
        NETWORK,
        "explanations",
        lambda: _interpretation(model, experiment, data, test, mistakes, missing),
        None,
    )
    return Results(
        experiment=experiment,
        data=data,
        fitted=fitted,
        predictions=predictions,
        metrics=metrics,
        one_vs_rest=test.one_vs_rest,
        samples=sample_predictions(test, experiment.report.samples, seed),
        mistakes=mistakes,
        confusion=confusion(test),
        reliability=attempt(
            failures, PROBABILITIES, "reliability", lambda: (reliability(test), reliability(test.calibrated)), None
        ),
        risk_coverage=attempt(
            failures, PROBABILITIES, "risk_coverage", lambda: _risk_coverage(experiment, data, predictions), {}
        ),
        pairs=attempt(failures, PREDICTIONS, "confused_pairs", lambda: confused_pairs(test, LISTED_PAIRS), []),
        interpretation=interpretation,
        embedding=embedding,
        embedded=embedded.sampled,
        diagnosis=diagnosis,
        advice=attempt(failures, DATA, "advice", lambda: _advice(experiment, data, diagnosis), []),
        failures=failures,
        missing=missing,
        augmented=attempt(failures, DATA, "augmented", lambda: augmented_images(experiment, data, missing), None),
    )


def is_complementary(experiment: Experiment, data: PreparedData) -> bool:
    """Return whether the labels of val say what an image is NOT; confidence cannot be calibrated on such labels."""
    return labels_are_complementary(experiment.training) or bool(data.pseudo_labelled)


def _diagnosis(
    experiment: Experiment, data: PreparedData | None, predictions: dict[str, Predictions], missing: str
) -> Diagnosis:
    if data is None or "val" not in predictions:
        raise Unavailable(missing)
    return Diagnosis(
        overview_of(data, experiment.seed),
        assess_with_run(
            predictions["val"], predictions["test"], trained_on_labels=not is_complementary(experiment, data)
        ),
    )


def overview_of(data: PreparedData, seed: int) -> DatasetOverview:
    """Return the overview of the splits. Runs of a study share it: it says nothing of their models."""
    # The answer `other` of `head.zero_shot` is no class of the data.
    of_data = set(data.folders.values())
    names = [name for name in data.class_names if name in of_data]
    return data.once("overview", lambda: dataset_overview(data.splits, names, seed), of=(seed, names))


def _risk_coverage(
    experiment: Experiment, data: PreparedData | None, predictions: dict[str, Predictions]
) -> dict[str, RiskCoverage]:
    complementary = data is None or is_complementary(experiment, data)
    return {name: curve_of(part) for name, part in predictions.items() if name == "test" or not complementary}


def _interpretation(
    model: keras.Model | None,
    experiment: Experiment,
    data: PreparedData | None,
    test: Predictions,
    mistakes: np.ndarray,
    missing: str,
) -> Interpretation:
    if model is None:
        raise Unavailable(missing)
    if data is None:
        return Interpretation(None, None, first_and_last_kernels(model), 0, {})
    shown, example = mistakes[:EXPLAINED], int(sample_predictions(test, 1, experiment.seed)[0])
    images = data.splits["test"].images
    return interpret(model, images[shown], test.y_pred[shown], test.y_true[shown], images[example], example)


def _embedding(experiment: Experiment, test: Predictions, missing: str) -> Callable[[], tuple[np.ndarray, str] | None]:
    """Begin to embed the features of test in a thread, and return what waits for it, or raises what has failed.

    It takes a second of one core and rarely holds Python's lock; meanwhile the rest is computed, and most plots are drawn.
    """
    if missing or not experiment.report.plots:

        def none() -> None:
            if missing:
                raise Unavailable(missing)

        return none
    thread = ThreadPoolExecutor(max_workers=1)
    found = thread.submit(embed, test.features, experiment.seed)
    thread.shutdown(wait=False)
    return found.result


def _advice(experiment: Experiment, data: PreparedData | None, diagnosis: Diagnosis | None) -> list[Advice]:
    if diagnosis is None:
        return []
    return advise(diagnosis, experiment.data, data.folders, experiment.training, experiment.model)
