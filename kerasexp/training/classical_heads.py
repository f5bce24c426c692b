"""Heads that no steps train: what scikit-learn fits to a network's features, and what is read as it is."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from kerasexp.config.experiment import Experiment
from kerasexp.config.head import ClassicalHead, LogisticRegression, NearestNeighbours, Svm
from kerasexp.config.head_rules import head_without_steps
from kerasexp.console import Console
from kerasexp.data.pipeline import MOST
from kerasexp.data.prepared_data import PreparedData
from kerasexp.environment import cores
from kerasexp.models import with_logits
from kerasexp.models.classical_layers import for_all_classes, linear_logits, neighbour_logits, rbf_logits
from kerasexp.saving.run_files import RunFiles
from kerasexp.storage import replacing
from kerasexp.training.features import features_of
from kerasexp.training.fitted import Fitted
from kerasexp.training.gradient_flow import NO_GRADIENTS

FOLDS, MOST_STEPS = 5, 2000


@dataclass(frozen=True)
class Learned:
    """What was fitted to all training images.

    Attributes:
        mean, scale: of each feature, float64 [f].
        estimator: of scikit-learn, fitted to `features`.
        features: scaled, float32 [n, f].
        labels: int64 [n].
        classes: how many there are, also of those that train lacks.
    """

    mean: np.ndarray
    scale: np.ndarray
    estimator: Any
    features: np.ndarray
    labels: np.ndarray
    classes: int


@dataclass(frozen=True)
class Method:
    """One kind of head.

    Attributes:
        key: the key of its section that holds what may be chosen from.
        estimator: (section, one of these, number of features, seed) -> an estimator of scikit-learn.
        logits: the features as the network gives them, and what was learned -> logits, as layers.
    """

    key: str
    estimator: Callable[[Any, float, int, int], Any]
    logits: Callable[[keras.KerasTensor, Learned], keras.KerasTensor]


def fit_classical(
    model: keras.Model, data: PreparedData, experiment: Experiment, run: RunFiles, console: Console
) -> Fitted:
    """Fit the head to the features of train, and leave the model that ends in it in `run`; nothing below it is changed.

    Features are extracted once, and scaled to mean 0 and deviation 1 on what is learned from. Where the experiment names
    several strengths or numbers of neighbours, the one of the highest accuracy in cross-validation on train is taken, the
    first of equals.

    Args:
        model: initialised; what goes into its layer `logits` are the features.
        data: train is learned from, and val is for the figures alone.
        experiment: its head is one of `METHODS`.
        run: gains the checkpoint, and a history of one row.
        console: where progress is shown.
    """
    name, head = head_without_steps(experiment)
    method, start = METHODS[name], time.perf_counter()
    tensor = model.get_layer("logits").input
    extractor = keras.Model(model.input, tensor, name="features")
    features = {split: features_of(extractor, data.training_splits[split].images, console) for split in ("train", "val")}
    labels = {split: data.training_splits[split].labels for split in features}

    # 1. What cross-validation on train chooses.
    values = sorted(set(getattr(head, method.key)))
    rows, chosen = [], values[0]
    if len(values) > 1:
        rows = cross_validated(method, head, values, features["train"], labels["train"], experiment.seed, console)
        chosen = max(rows, key=lambda row: row["accuracy"])[method.key]
        told = ", ".join(f"{row[method.key]:g} {row['accuracy']:.4f}" for row in rows)
        console.line(f"head.{name}: {method.key} {chosen:g}, by cross-validation on train ({told})")

    # 2. The head itself, as layers on the network.
    learned = _learned(method, head, chosen, features["train"], labels["train"], len(data.class_names), experiment.seed)
    if np.max(getattr(learned.estimator, "n_iter_", 0)) >= MOST_STEPS:
        console.line(f"head.{name} has not converged after {MOST_STEPS} iterations; a smaller {method.key} does sooner")
    classifier = with_logits(model, method.logits(tensor, learned))

    # 3. What it says of the features that are at hand.
    on_features = keras.Model(tensor, classifier.output)
    scores = {split: on_features.predict(features[split], batch_size=MOST, verbose=0) for split in features}
    return _saved(classifier, scores, labels, time.perf_counter() - start, run, rows)


def read_as_is(
    model: keras.Model, data: PreparedData, experiment: Experiment, run: RunFiles, console: Console
) -> Fitted:
    """Leave a model that nothing is trained of in `run`; the arguments are those of `fit_classical`."""
    start = time.perf_counter()
    scores = {split: features_of(model, data.training_splits[split].images, console) for split in ("train", "val")}
    labels = {split: data.training_splits[split].labels for split in scores}
    return _saved(model, scores, labels, time.perf_counter() - start, run)


def _saved(
    classifier: keras.Model,
    scores: dict[str, np.ndarray],
    labels: dict[str, np.ndarray],
    seconds: float,
    run: RunFiles,
    cross_validation: Sequence[dict[str, float]] = (),
) -> Fitted:
    """Save a classifier, and write a history of one row from its probabilities for train and val, float32 [n, classes]."""
    temporary = run.model.with_name(f".{run.model.name}.tmp.keras")
    with replacing(run.model, temporary, durable=True):
        classifier.save(temporary)
    row = {"epoch": 1, "step": 1, "seconds": round(seconds, 3), "learning_rate": 0.0}
    for split, prefix in (("train", ""), ("val", "val_")):
        losses = keras.losses.sparse_categorical_crossentropy(labels[split], scores[split])
        row[f"{prefix}accuracy"] = float(np.mean(scores[split].argmax(axis=1) == labels[split]))
        row[f"{prefix}loss"] = float(np.mean(losses))
    run.write_history([row])
    return Fitted([row], NO_GRADIENTS, [], 1, seconds, list(cross_validation))


def cross_validated(
    method: Method,
    head: ClassicalHead,
    values: list[float],
    features: np.ndarray,
    labels: np.ndarray,
    seed: int,
    console: Console,
) -> list[dict[str, float]]:
    """Return, for each value, mean and deviation of the accuracy on folds that were not learned from; stratified."""
    from joblib import Parallel, delayed
    from sklearn.model_selection import StratifiedKFold
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    counts = np.bincount(labels)
    folds = StratifiedKFold(min(FOLDS, int(counts[counts > 0].min())), shuffle=True, random_state=seed)
    parts = list(folds.split(features, labels))

    def accuracy(value: float, known: np.ndarray, asked: np.ndarray) -> float:
        estimator = method.estimator(head, value, features.shape[1], seed)
        return (
            make_pipeline(StandardScaler(), estimator)
            .fit(features[known], labels[known])
            .score(features[asked], labels[asked])
        )

    tasks = [delayed(accuracy)(value, *part) for value in values for part in parts]
    found: list[float] = []
    # scikit-learn's solvers leave Python's lock free, and share the features.
    with warnings.catch_warnings(), console.bar("cross-validation", len(tasks)) as bar:
        warnings.simplefilter("ignore")  # that a value converges slowly; of the one that is taken, it is told
        for score in Parallel(n_jobs=cores(), prefer="threads", return_as="generator")(tasks):
            found.append(score)
            bar.advance(len(found))
    scores = np.reshape(found, (len(values), len(parts)))
    return [
        {method.key: value, "accuracy": float(row.mean()), "deviation": float(row.std(ddof=1))}
        for value, row in zip(values, scores, strict=True)
    ]


def _learned(
    method: Method,
    head: ClassicalHead,
    value: float,
    features: np.ndarray,
    labels: np.ndarray,
    classes: int,
    seed: int,
) -> Learned:
    from sklearn.preprocessing import StandardScaler

    scaler = StandardScaler().fit(features)
    scaled = scaler.transform(features)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        estimator = method.estimator(head, value, features.shape[1], seed).fit(scaled, labels)
    return Learned(scaler.mean_, scaler.scale_, estimator, scaled, labels, classes)


def _svm(head: Svm, strength: float, features: int, seed: int):
    from sklearn.multiclass import OneVsRestClassifier
    from sklearn.svm import SVC, LinearSVC

    if head.kernel == "linear":
        return LinearSVC(C=strength, multi_class=head.multi_class, max_iter=MOST_STEPS, random_state=seed)
    return OneVsRestClassifier(SVC(C=strength, kernel=head.kernel, gamma=head.gamma or 1 / features))


def _svm_logits(features: keras.KerasTensor, learned: Learned) -> keras.KerasTensor:
    estimator = learned.estimator
    if hasattr(estimator, "coef_"):
        return _linear(features, learned, half=False)
    machines = estimator.estimators_
    support = np.unique(np.concatenate([machine.support_ for machine in machines]))
    rows = np.zeros((len(machines), len(support)))
    for row, machine in zip(rows, machines, strict=True):
        row[np.searchsorted(support, machine.support_)] = machine.dual_coef_[0]
    intercepts = np.concatenate([machine.intercept_ for machine in machines])
    coefficients, intercepts = for_all_classes(rows, intercepts, estimator.classes_, learned.classes, half=False)
    gamma = machines[0].gamma
    return rbf_logits(features, learned.mean, learned.scale, learned.features[support], gamma, coefficients, intercepts)


def _logistic_regression(head: LogisticRegression, strength: float, features: int, seed: int):
    from sklearn.linear_model import LogisticRegression as Estimator

    return Estimator(C=strength, max_iter=MOST_STEPS, random_state=seed)


def _nearest(head: NearestNeighbours, neighbours: float, features: int, seed: int):
    from sklearn.neighbors import KNeighborsClassifier

    return KNeighborsClassifier(int(neighbours), algorithm="brute")


def _neighbour_logits(features: keras.KerasTensor, learned: Learned) -> keras.KerasTensor:
    return neighbour_logits(
        features,
        learned.mean,
        learned.scale,
        learned.features,
        learned.labels,
        learned.estimator.n_neighbors,
        learned.classes,
    )


def _linear(features: keras.KerasTensor, learned: Learned, half: bool) -> keras.KerasTensor:
    estimator = learned.estimator
    coefficients, intercepts = for_all_classes(
        estimator.coef_, estimator.intercept_, estimator.classes_, learned.classes, half
    )
    return linear_logits(features, learned.mean, learned.scale, coefficients, intercepts)


METHODS: dict[str, Method] = {
    "svm": Method("C", _svm, _svm_logits),
    "logistic_regression": Method(
        "C", _logistic_regression, lambda features, learned: _linear(features, learned, half=True)
    ),
    "knn": Method("k", _nearest, _neighbour_logits),
}

# Each head that no steps train -> what takes the place of `fit`.
FITS = {**dict.fromkeys(METHODS, fit_classical), "zero_shot": read_as_is}
