"""Classical heads, which gradient descent does not train: scikit-learn fits them to features; zero-shot needs no fit."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from kerasexp.config.experiment import Experiment
from kerasexp.config.head_section import LogisticRegression, NearestNeighbours, Svm
from kerasexp.config.model_section import classical_head
from kerasexp.console import Console
from kerasexp.data.evaluation_batch import EVALUATION_IMAGES
from kerasexp.data.prepared_data import PreparedData
from kerasexp.data.stratified_sampling import cross_validation_folds
from kerasexp.environment import cores
from kerasexp.models import with_logits
from kerasexp.models.classical_layers import for_all_classes, linear_logits, neighbour_logits, rbf_logits
from kerasexp.saving.saved_files import RunFiles
from kerasexp.storage import replacing
from kerasexp.training.gradient_record import NO_GRADIENTS
from kerasexp.training.training_features import extract_features
from kerasexp.training.training_result import TrainingResult

MAX_ITERATIONS = 2000


@dataclass(frozen=True)
class FittedEstimator:
    """A head of scikit-learn, fitted to all training images.

    Attributes:
        mean, scale: mean and standard deviation of each feature, float64 [f].
        estimator: the estimator of scikit-learn, fitted to `features`.
        features: scaled, float32 [n, f].
        labels: int64 [n].
        classes: the number of classes, including those without training images.
    """

    mean: np.ndarray
    scale: np.ndarray
    estimator: Any
    features: np.ndarray
    labels: np.ndarray
    classes: int


@dataclass(frozen=True)
class Method:
    """A kind of classical head.

    Attributes:
        key: the key of its section that may have several values.
        estimator: (section, one of these values, number of features, seed) -> an estimator of scikit-learn.
        logits: (unscaled features, fitted estimator) -> logits, as Keras layers.
    """

    key: str
    estimator: Callable[[Any, float, int, int], Any]
    logits: Callable[[keras.KerasTensor, FittedEstimator], keras.KerasTensor]


def fit_classical(
    model: keras.Model, data: PreparedData, experiment: Experiment, run: RunFiles, console: Console
) -> TrainingResult:
    """Fit the head to the features of train, and save the model with it to `run`; the layers below are not changed.

    Features are extracted once, and scaled to mean 0 and standard deviation 1 over train. If the experiment names several
    strengths or numbers of neighbours, cross-validation on train picks the one with the highest accuracy, the first of
    equals.

    Args:
        model: with its initial weights; the features are the input of its layer `logits`.
        data: train for the fit, val for metrics only.
        experiment: its head is one of `METHODS`.
        run: receives the checkpoint and a history of one row.
        console: shows the progress.
    """
    name, head = classical_head(experiment.model)
    method, start = METHODS[name], time.perf_counter()
    tensor = model.get_layer("logits").input
    extractor = keras.Model(model.input, tensor, name="features")
    features, labels = _outputs(extractor, data, console)

    # 1. The best of several values, by cross-validation on train.
    values, sizes = sorted(set(getattr(head, method.key))), (features["train"].shape[1], experiment.seed)
    candidates = {value: method.estimator(head, value, *sizes) for value in values}
    rows, best = [], values[0]
    if len(values) > 1:
        folds = cross_validation_folds(labels["train"], data.training_splits["train"].groups, experiment.seed)
        found = cross_validate(candidates, features["train"], labels["train"], folds, console)
        rows = [
            {method.key: value, "accuracy": float(accuracy.mean()), "deviation": float(accuracy.std(ddof=1))}
            for value, accuracy in found.items()
        ]
        best = max(rows, key=lambda row: row["accuracy"])[method.key]
        accuracies = ", ".join(f"{row[method.key]:g} {row['accuracy']:.4f}" for row in rows)
        console.line(f"head.{name}: {method.key} {best:g}, by cross-validation on train ({accuracies})")

    # 2. The head itself, as layers on the network.
    fitted = _fit(candidates[best], features["train"], labels["train"], len(data.class_names))
    if np.max(getattr(fitted.estimator, "n_iter_", 0)) >= MAX_ITERATIONS:
        advice = f"a smaller {method.key} converges sooner"
        console.warning(f"head.{name} has not converged after {MAX_ITERATIONS} iterations; {advice}")
    classifier = with_logits(model, method.logits(tensor, fitted))

    # 3. Its probabilities for train and val, from the extracted features.
    head_model = keras.Model(tensor, classifier.output)
    scores = {split: head_model.predict(features[split], batch_size=EVALUATION_IMAGES, verbose=0) for split in features}
    return _save(classifier, scores, labels, time.perf_counter() - start, run, rows)


def save_zero_shot(
    model: keras.Model, data: PreparedData, experiment: Experiment, run: RunFiles, console: Console
) -> TrainingResult:
    """Save a model without any training to `run`; the arguments are those of `fit_classical`."""
    start = time.perf_counter()
    scores, labels = _outputs(model, data, console)
    return _save(model, scores, labels, time.perf_counter() - start, run)


def _outputs(model: keras.Model, data: PreparedData, console: Console) -> tuple[dict[str, np.ndarray], ...]:
    """Return the outputs of a model, and the labels, both by split, for train and val."""
    splits = {name: data.training_splits[name] for name in ("train", "val")}
    outputs = {name: extract_features(model, split.images, console) for name, split in splits.items()}
    return outputs, {name: split.labels for name, split in splits.items()}


def _save(
    classifier: keras.Model,
    scores: dict[str, np.ndarray],
    labels: dict[str, np.ndarray],
    seconds: float,
    run: RunFiles,
    cross_validation: Sequence[dict[str, float]] = (),
) -> TrainingResult:
    """Save a classifier and a history of one row, computed from its probabilities float32 [n, classes] for train and val."""
    temporary = run.model.with_name(f".{run.model.name}.tmp.keras")
    with replacing(run.model, temporary, durable=True):
        classifier.save(temporary)
    row = {"epoch": 1, "step": 1, "seconds": round(seconds, 3), "learning_rate": 0.0}
    for split, prefix in (("train", ""), ("val", "val_")):
        losses = keras.losses.sparse_categorical_crossentropy(labels[split], scores[split])
        row[f"{prefix}accuracy"] = float(np.mean(scores[split].argmax(axis=1) == labels[split]))
        row[f"{prefix}loss"] = float(np.mean(losses))
    run.write_history([row])
    return TrainingResult([row], NO_GRADIENTS, [], 1, seconds, list(cross_validation))


def cross_validate(
    candidates: dict[float, Any],
    features: np.ndarray,
    labels: np.ndarray,
    folds: Sequence[tuple[np.ndarray, np.ndarray]],
    console: Console,
) -> dict[float, np.ndarray]:
    """Return each candidate's accuracy on the folds of a cross-validation, float64 [folds]."""
    from joblib import Parallel, delayed
    from sklearn.base import clone
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    def accuracy(candidate: Any, train: np.ndarray, test: np.ndarray) -> float:
        pipeline = make_pipeline(StandardScaler(), clone(candidate)).fit(features[train], labels[train])
        return pipeline.score(features[test], labels[test])

    tasks = [delayed(accuracy)(candidate, *fold) for candidate in candidates.values() for fold in folds]
    found: list[float] = []
    # Threads: scikit-learn's solvers release Python's lock, and share the features.
    with warnings.catch_warnings(), console.bar("cross-validation", len(tasks)) as bar:
        warnings.simplefilter("ignore")  # of slow convergence; `fit_classical` reports it for the value that it uses
        for score in Parallel(n_jobs=cores(), prefer="threads", return_as="generator")(tasks):
            found.append(score)
            bar.advance(len(found))
    return dict(zip(candidates, np.reshape(found, (len(candidates), len(folds))), strict=True))


def _fit(estimator: Any, features: np.ndarray, labels: np.ndarray, classes: int) -> FittedEstimator:
    from sklearn.preprocessing import StandardScaler

    scaler = StandardScaler().fit(features)
    scaled = scaler.transform(features)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        estimator.fit(scaled, labels)
    return FittedEstimator(scaler.mean_, scaler.scale_, estimator, scaled, labels, classes)


def _svm(head: Svm, strength: float, features: int, seed: int):
    from sklearn.multiclass import OneVsRestClassifier
    from sklearn.svm import SVC, LinearSVC

    if head.kernel == "linear":
        return LinearSVC(C=strength, multi_class=head.multi_class, max_iter=MAX_ITERATIONS, random_state=seed)
    return OneVsRestClassifier(SVC(C=strength, kernel=head.kernel, gamma=head.gamma or 1 / features))


def _svm_logits(features: keras.KerasTensor, fitted: FittedEstimator) -> keras.KerasTensor:
    estimator = fitted.estimator
    if hasattr(estimator, "coef_"):
        return _linear_logits(features, fitted, half=False)
    machines = estimator.estimators_
    support = np.unique(np.concatenate([machine.support_ for machine in machines]))
    rows = np.zeros((len(machines), len(support)))
    for row, machine in zip(rows, machines, strict=True):
        row[np.searchsorted(support, machine.support_)] = machine.dual_coef_[0]
    intercepts = np.concatenate([machine.intercept_ for machine in machines])
    coefficients, intercepts = for_all_classes(rows, intercepts, estimator.classes_, fitted.classes, half=False)
    gamma = machines[0].gamma
    return rbf_logits(features, fitted.mean, fitted.scale, fitted.features[support], gamma, coefficients, intercepts)


def _logistic_regression(head: LogisticRegression, strength: float, features: int, seed: int):
    from sklearn.linear_model import LogisticRegression as Estimator

    return Estimator(C=strength, max_iter=MAX_ITERATIONS, random_state=seed)


def _nearest_neighbours(head: NearestNeighbours, neighbours: float, features: int, seed: int):
    from sklearn.neighbors import KNeighborsClassifier

    return KNeighborsClassifier(int(neighbours), algorithm="brute")


def _neighbour_logits(features: keras.KerasTensor, fitted: FittedEstimator) -> keras.KerasTensor:
    neighbours, examples = fitted.estimator.n_neighbors, (fitted.features, fitted.labels)
    return neighbour_logits(features, fitted.mean, fitted.scale, *examples, neighbours, fitted.classes)


def _linear_logits(features: keras.KerasTensor, fitted: FittedEstimator, half: bool) -> keras.KerasTensor:
    estimator = fitted.estimator
    coefficients, intercepts = for_all_classes(
        estimator.coef_, estimator.intercept_, estimator.classes_, fitted.classes, half
    )
    return linear_logits(features, fitted.mean, fitted.scale, coefficients, intercepts)


METHODS: dict[str, Method] = {
    "svm": Method("C", _svm, _svm_logits),
    "logistic_regression": Method(
        "C", _logistic_regression, lambda features, fitted: _linear_logits(features, fitted, half=True)
    ),
    "knn": Method("k", _nearest_neighbours, _neighbour_logits),
}

# Name of a classical head -> the function that takes the place of `fit_by_gradients`.
CLASSICAL_FITS = {**dict.fromkeys(METHODS, fit_classical), "zero_shot": save_zero_shot}
