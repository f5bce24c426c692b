"""The second half of a run: a model is trained and then judged, on all splits with a report, or on `val` alone."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from kerasexp.config import Experiment
from kerasexp.config.head_rules import head_without_steps
from kerasexp.config.rules import labels_are_complementary, metric_losses
from kerasexp.console import Console
from kerasexp.data.prepared_data import PreparedData
from kerasexp.evaluation.calibration import fit_temperature
from kerasexp.evaluation.complementary_metrics import complementary_metrics
from kerasexp.evaluation.metrics import compute_metrics
from kerasexp.evaluation.mistakes import confusion
from kerasexp.evaluation.predictions import Predictions, predict_split
from kerasexp.evaluation.retrieval import retrieval_metrics, retrieval_words
from kerasexp.evaluation.roc import rank
from kerasexp.evaluation.tsne import sample_positions
from kerasexp.runs.directory import RunDirectory
from kerasexp.runs.page import MOST_PLOTS, write_report
from kerasexp.runs.page_plots import Judged
from kerasexp.saving.checkpoint import load_checkpoint, write_sidecars, write_temperature
from kerasexp.storage import csv_text, write_json, write_text
from kerasexp.training.classical_heads import FITS
from kerasexp.training.fit import Fitted, fit
from kerasexp.training.precision import what_computes


@dataclass(frozen=True)
class Ready:
    """All that a training begins with.

    Attributes:
        experiment: what is run.
        data: as they are; figures are of these.
        taught: what is learned from, which may have other labels.
        model: built and initialised.
        run: the directory, whose files are written.
        manifest: gains the seconds that each part took.
        console: where progress is shown.
    """

    experiment: Experiment
    data: PreparedData
    taught: PreparedData
    model: Any
    run: RunDirectory
    manifest: dict[str, Any]
    console: Console

    @property
    def is_complementary(self) -> bool:
        """Whether labels say what an image is NOT; then they cannot tell how sure a prediction should be."""
        return labels_are_complementary(self.experiment.training) or self.taught is not self.data


def train_and_judge(ready: Ready) -> None:
    """Train, evaluate on val and test, draw and report."""
    experiment, data, run, manifest = ready.experiment, ready.data, ready.run, ready.manifest
    # 4. Training.
    fitted = _trained(ready)

    # 5. Evaluation of what was saved, not of what is in memory; the test split is read here and nowhere before.
    start = time.perf_counter()
    best = load_checkpoint(run.checkpoint).model
    val = predict_split(best, data.splits["val"], data.class_names)
    retrieves, count = _is_for_retrieval(ready), len(data.splits["test"])
    sampled = sample_positions(count, experiment.seed)
    test = predict_split(best, data.splits["test"], data.class_names, np.arange(count) if retrieves else sampled)
    temperature, ranking = 1.0 if ready.is_complementary else fit_temperature(val), rank(test)
    metrics = {
        "val": complementary_metrics(val) if ready.is_complementary else compute_metrics(val, temperature),
        "test": compute_metrics(test, temperature, ranking),
        "temperature": temperature,
        **_of_training(fitted, experiment),
    }
    if retrieves and (retrieval := _retrieval(ready, best, test)) is not None:
        metrics["retrieval"] = retrieval
    test = test.sampling(sampled)
    write_temperature(run.checkpoint, temperature)
    write_text(run.predictions, test.to_csv())
    write_text(run.confusion, csv_text(["true", *data.class_names], _named_rows(confusion(test), data.class_names)))
    write_json(run.metrics, metrics)
    manifest["times"] |= {
        "train_seconds": metrics["train_seconds"],
        "evaluate_seconds": round(time.perf_counter() - start, 3),
    }
    for name in ("val", "test"):
        m = metrics[name]
        ready.console.line(
            f"{name}: accuracy {m['accuracy']:.4f} (95 % interval {m['accuracy_low']:.4f} to {m['accuracy_high']:.4f})  "
            f"loss {m['loss']:.4f}  "
            + (f"macro F1 {m['macro_f1']:.4f}  " if "macro_f1" in m else "estimated from complementary labels  ")
            + f"({m['images']} images)"
        )
    if "retrieval" in metrics:
        ready.console.line(
            "retrieval by features: "
            + ", ".join(f"{word} {value:.4f}" for word, value in retrieval_words(metrics["retrieval"]).items())
        )

    # 6. Plots and the page.
    start = time.perf_counter()
    judged = Judged(experiment, data, best, fitted, {"val": val, "test": test}, ranking, metrics)
    with ready.console.bar("drawing the report", MOST_PLOTS) as bar:
        write_report(run, judged, manifest, bar.advance)
    manifest["times"]["report_seconds"] = round(time.perf_counter() - start, 3)


def train_and_validate(ready: Ready) -> None:
    """Train, and evaluate on val alone: what is chosen by its figures must not see the test split."""
    fitted = _trained(ready)
    val = predict_split(load_checkpoint(ready.run.checkpoint).model, ready.data.splits["val"], ready.data.class_names)
    figures = complementary_metrics(val) if ready.is_complementary else compute_metrics(val)
    write_json(ready.run.metrics, {"val": figures, **_of_training(fitted, ready.experiment)})
    ready.manifest["times"] |= {"train_seconds": round(fitted.seconds, 3)}
    ready.console.line(f"val: accuracy {figures['accuracy']:.4f}  loss {figures['loss']:.4f}")


def _trained(ready: Ready) -> Fitted:
    experiment, data, run, manifest = ready.experiment, ready.data, ready.run, ready.manifest
    write_sidecars(run.checkpoint, data.class_names, data.folders, experiment.data.preprocessing)
    ready.console.line(what_computes(manifest["precision"], experiment.training.precision, manifest["devices"]))
    with ready.model.distribute_strategy.scope():
        head = head_without_steps(experiment)
        train = fit if head is None else FITS[head[0]]
        return train(ready.model, ready.taught, experiment, run, ready.console)


def _is_for_retrieval(ready: Ready) -> bool:
    # Batches of so many images of each class are for losses that compare images, and for what these are compared with.
    training = ready.experiment.training
    return not ready.is_complementary and bool(metric_losses(training.loss) or training.class_batches)


def _retrieval(ready: Ready, model: Any, test: Predictions) -> dict[str, Any] | None:
    train = ready.taught.splits["train"]
    return retrieval_metrics(predict_split(model, train, ready.data.class_names, np.arange(len(train))), test)


def _of_training(fitted: Fitted, experiment: Experiment) -> dict[str, Any]:
    # A head without steps has one row of history, and has seen no epoch.
    return {
        "epochs": len(fitted.history) if head_without_steps(experiment) is None else 0,
        "kept_epoch": fitted.kept,
        "train_seconds": round(fitted.seconds, 3),
        **({"cross_validation": fitted.cross_validation} if fitted.cross_validation else {}),
    }


def _named_rows(matrix, names: list[str]):
    return ([name, *row.tolist()] for name, row in zip(names, matrix, strict=True))
