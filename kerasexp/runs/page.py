"""The report of a run: one HTML file that opens offline, with every figure inside it."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from kerasexp.config import Experiment, resolved_yaml
from kerasexp.console import Console
from kerasexp.diagnosis.page import diagnosis_content
from kerasexp.evaluation.retrieval import retrieval_labels
from kerasexp.report.html import by_section, draw, render
from kerasexp.runs.directory import RunDirectory
from kerasexp.runs.page_plots import DATA, run_plots
from kerasexp.runs.results import Results
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
MOST_PLOTS = 20


def write_report(run: RunDirectory, results: Results, manifest: dict[str, Any], console: Console) -> None:
    """Draw the run's plots into its `plots` folder, and write `report.html` with them inside; compute nothing.

    Args:
        run: where to.
        results: what is shown.
        manifest: how it was run; gains the seconds that this took.
        console: where progress is shown.
    """
    start, drawn = time.perf_counter(), []
    with console.bar("drawing the report", MOST_PLOTS) as bar:
        for plot in run_plots(results) if results.experiment.report.plots else ():
            drawn.append(draw(plot))
            write_bytes(run.plots / f"{plot.name}.png", drawn[-1].png)
            bar.advance(len(drawn))
    metrics, experiment = results.metrics, results.experiment
    reported = reported_rows(experiment, {**metrics, "train": results.fitted.history[-1]})
    content = {
        "experiment": experiment,
        "resolved": resolved_yaml(experiment),
        "manifest": manifest,
        "metrics": metrics,
        "reported": reported,
        "claim": _foremost(reported),
        "metric_rows": metric_rows(metrics["val"], metrics["test"]),
        "retrieval": retrieval_labels(metrics["retrieval"]) if "retrieval" in metrics else {},
        "classes": class_rows(metrics["test"]),
        "confused": _confused_rows(results),
        # The section on the data has more to say than its plots.
        "sections": {**by_section(drawn), DATA: by_section(drawn).get(DATA, [])},
        "diagnosis": diagnosis_content(results.diagnosis, results.advice),
    }
    write_text(run.report, render("run.html", content))
    manifest["times"]["report_seconds"] = round(time.perf_counter() - start, 3)


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


def metric_rows(val: dict[str, Any], test: dict[str, Any]) -> list[dict[str, str]]:
    """Return label, val, test and the interval of test, written out, of every figure of a split."""
    rows = []
    for key in test:
        if key == "per_class" or key.endswith(("_low", "_high")):
            continue
        low, high = test.get(f"{key}_low"), test.get(f"{key}_high")
        rows.append(
            {
                "label": metric_label(key),
                "val": _written(val.get(key)),
                "test": _written(test[key]),
                "interval": "" if low is None else f"{low:.4f} to {high:.4f}",
            }
        )
    return rows


def metric_label(key: str) -> str:
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


def _confused_rows(results: Results) -> list[dict[str, Any]]:
    names = np.array(results.test.class_names, object)
    return [
        {
            "first": names[pair.first],
            "second": names[pair.second],
            "mistakes": pair.first_as_second + pair.second_as_first,
            "first_as_second": pair.first_as_second,
            "second_as_first": pair.second_as_first,
        }
        for pair in results.pairs
    ]
