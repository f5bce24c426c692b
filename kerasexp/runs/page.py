"""The report of a run: one HTML file that opens offline, with every figure inside it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from kerasexp.config import Experiment, resolved_yaml
from kerasexp.diagnosis.advice import advise
from kerasexp.diagnosis.page import diagnosis_content
from kerasexp.evaluation.mistakes import confused_pairs
from kerasexp.evaluation.predictions import Predictions
from kerasexp.evaluation.retrieval import retrieval_words
from kerasexp.report.html import by_section, draw, render
from kerasexp.runs.directory import RunDirectory
from kerasexp.runs.page_plots import DATA, Judged, run_plots
from kerasexp.storage import write_bytes, write_text

# Names of reported figures that are measured as well, and where they lie. As in Keras, a bare name is of the training
# images, as they were seen in the last epoch.
COMPARABLE = {
    "accuracy": ("train", "accuracy"),
    "loss": ("train", "loss"),
    "val_accuracy": ("val", "accuracy"),
    "val_loss": ("val", "loss"),
    "test_accuracy": ("test", "accuracy"),
    "test_loss": ("test", "loss"),
    "test_macro_f1": ("test", "macro_f1"),
}
LISTED_PAIRS = 20
MOST_PLOTS = 20


def write_report(
    run: RunDirectory, judged: Judged, manifest: dict[str, Any], progress: Callable[[int], None] | None = None
) -> None:
    """Draw the run's figures into its `plots` folder, and write `report.html` with them inside.

    Args:
        run: where to.
        judged: what is shown.
        manifest: how it was run.
        progress: called with the number of figures drawn, of at most `MOST_PLOTS`.
    """
    images = []
    for plot in run_plots(judged):
        images.append(draw(plot))
        write_bytes(run.plots / f"{plot.name}.png", images[-1].png)
        if progress is not None:
            progress(len(images))
    metrics, experiment = judged.metrics, judged.experiment
    advice = advise(judged.diagnosis, experiment.data, judged.data.folders, experiment.training)
    reported = reported_rows(judged.experiment, {**metrics, "train": judged.fitted.history[-1]})
    content = {
        "experiment": judged.experiment,
        "resolved": resolved_yaml(judged.experiment),
        "manifest": manifest,
        "metrics": metrics,
        "reported": reported,
        "claim": _foremost(reported),
        "figures": figure_rows(metrics["val"], metrics["test"]),
        "retrieval": retrieval_words(metrics["retrieval"]) if "retrieval" in metrics else {},
        "classes": class_rows(metrics["test"]),
        "confused": _confused_rows(judged.test),
        # The section on the data has more to say than its figures.
        "sections": {**by_section(images), DATA: by_section(images).get(DATA, [])},
        "diagnosis": diagnosis_content(judged.diagnosis, advice),
    }
    write_text(run.report, render("run.html", content))


def reported_rows(experiment: Experiment, metrics: dict[str, Any]) -> list[dict[str, Any]]:
    """Return label, reported figure, ours and the difference of each reported figure; None where we have no such figure."""
    rows = []
    for name, reported in experiment.reported.items():
        if isinstance(reported, str):
            continue
        split, key = COMPARABLE.get(name, (None, None))
        ours = metrics[split][key] if split else None
        difference = None if ours is None else ours - reported
        label = f"{split} {key.replace('_', ' ')}" if split else name
        rows.append({"label": label, "reported": reported, "ours": ours, "difference": difference})
    return rows


def _foremost(reported: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Return the reported figure that says most of how well it went: an accuracy, of test rather than val or train."""
    measured = {row["label"]: row for row in reported if row["ours"] is not None}
    for label in ("test accuracy", "val accuracy", "train accuracy", *measured):
        if label in measured:
            return measured[label]
    return None


def figure_rows(val: dict[str, Any], test: dict[str, Any]) -> list[dict[str, str]]:
    """Return label, val, test and the interval of test, written out, of every figure of a split."""
    rows = []
    for key in test:
        if key == "per_class" or key.endswith(("_low", "_high")):
            continue
        low, high = test.get(f"{key}_low"), test.get(f"{key}_high")
        rows.append(
            {
                "label": figure_label(key),
                "val": _written(val.get(key)),
                "test": _written(test[key]),
                "interval": "" if low is None else f"{low:.4f} to {high:.4f}",
            }
        )
    return rows


def figure_label(key: str) -> str:
    """Return a figure's name for people."""
    label = key.replace("_", " ")
    for short, written in (("nll", "negative log likelihood"), ("ece", "expected calibration error"), ("auc", "AUC")):
        label = label.replace(short, written)
    return label.replace("f1", "F1").replace("brier", "Brier score")


def _written(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:,}" if isinstance(value, int) else f"{value:.4f}"


def class_rows(test: dict[str, Any]) -> list[dict[str, Any]]:
    """Return a row per class; None for what is undefined: recall without images, precision without predictions."""
    rows = []
    for name, figures in test["per_class"].items():
        row = {"name": name, **figures}
        if not row["support"]:
            row |= {"recall": None, "f1": None}
        if not row["predicted"]:
            row["precision"] = None
        rows.append(row)
    return rows


def _confused_rows(test: Predictions) -> list[dict[str, Any]]:
    names = np.array(test.class_names, object)
    return [
        {
            "first": names[pair.first],
            "second": names[pair.second],
            "mistakes": pair.first_as_second + pair.second_as_first,
            "first_as_second": pair.first_as_second,
            "second_as_first": pair.second_as_first,
        }
        for pair in confused_pairs(test, LISTED_PAIRS)
    ]
