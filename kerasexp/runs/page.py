"""The report of a run: one HTML file that opens offline, with all plots inside."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from kerasexp.config import Experiment, resolved_yaml
from kerasexp.console import Console
from kerasexp.diagnosis.page import diagnosis_content
from kerasexp.evaluation.retrieval import retrieval_labels
from kerasexp.report.html import DrawnPlot, render
from kerasexp.report.report_missing_parts import Failure, as_json, attempt, by_section, rendered
from kerasexp.runs.directory import RunDirectory
from kerasexp.runs.metric_labels import MOST_ROWS, metric_label, metric_rows
from kerasexp.runs.multi_label_plots import multi_label_plots
from kerasexp.runs.page_plots import run_plots
from kerasexp.runs.reject_results import reject_sentence
from kerasexp.runs.results import CLASSES, DATA, PREDICTIONS, PROBABILITIES, SECTIONS, TRAINING, Results
from kerasexp.runs.stroke_width_results import stroke_width_sentence
from kerasexp.storage import write_bytes, write_text
from kerasexp.training.training_result import TimeLimit

# Metrics that a paper may report and a run measures: split and key. As in Keras, a bare name is of train, averaged over the
# epoch that is kept.
COMPARABLE = {
    "accuracy": ("train", "accuracy"),
    "loss": ("train", "loss"),
    "val_accuracy": ("val", "accuracy"),
    "val_loss": ("val", "loss"),
    "test_accuracy": ("test", "accuracy"),
    "test_loss": ("test", "loss"),
    "test_macro_f1": ("test", "macro_f1"),
}
# The most important metrics of a paper, in order of preference; the page begins with one.
FOREMOST = ("test_accuracy", "val_accuracy", "accuracy")
MOST_PLOTS = 20
MOST_DOUBTS = 200
NO_DIAGNOSIS = {"labels": [], "notes": [], "split_sentences": [], "image_sentences": [], "advice": []}


def write_report(run: RunDirectory, results: Results, manifest: dict[str, Any], console: Console) -> None:
    """Draw the run's plots into its `plots` folder, and write `report.html` with them inside; compute nothing.

    A plot or a part of the page that fails leaves the rest intact; the page and the manifest say what failed, and why.

    Args:
        run: the directory.
        results: all values of the page.
        manifest: of the run; gains `report_seconds`, and `not_drawn` if something failed.
        console: shows the progress.

    Raises:
        RunError: the disk is full.
    """
    start, drawn = time.perf_counter(), []
    with console.bar("drawing the report", MOST_PLOTS) as bar:
        plots = multi_label_plots if results.experiment.data.multi_label else run_plots
        for plot in plots(results) if results.experiment.report.plots else ():
            drawn.append(plot)
            if isinstance(plot, DrawnPlot):
                write_bytes(run.plots / f"{plot.name}.png", plot.png)
            bar.advance(len(drawn))
    failures = [*results.failures, *(plot for plot in drawn if isinstance(plot, Failure))]
    content = _content(results, manifest, failures)
    # The box of a failure outside a plot comes after the plots of its section.
    drawn += [failure for failure in failures if failure not in drawn]
    sections = by_section(drawn)
    # The section on the data has text as well, and is shown without plots too.
    content["sections"] = {name: sections.get(name, []) for name in SECTIONS if name in sections or name == DATA}
    accuracy = metric_label("accuracy", results.experiment.data.multi_label)
    facts = [
        f"Test {accuracy} {results.metrics['test']['accuracy']:.4f}. All metrics are in metrics.json, the plots in plots."
    ]
    page = rendered(failures, lambda: render("run.html", content), results.experiment.name, facts)
    write_text(run.report, page)
    manifest.pop("not_drawn", None)
    if failures:
        manifest["not_drawn"] = as_json(failures)
    for failure in failures:
        console.warning(f"not drawn: {failure.name}: {failure.reason}")
    manifest["times"]["report_seconds"] = round(time.perf_counter() - start, 3)


def _content(results: Results, manifest: dict[str, Any], failures: list[Failure]) -> dict[str, Any]:
    """Return the values of the page's text; a part that fails is empty, and listed in `failures`."""
    metrics, experiment = results.metrics, results.experiment
    multi_label = experiment.data.multi_label

    def part(section: str, name: str, compute: Callable[[], Any], default: Any) -> Any:
        return attempt(failures, section, name, compute, default)

    rows, kept = results.fitted.history, results.fitted.kept
    measured = {**metrics, "train": next((row for row in rows if row["epoch"] == kept), rows[-1])}
    reported = part(TRAINING, "metrics of the paper", lambda: reported_rows(experiment, measured), [])
    classes = part(CLASSES, "table of the classes", lambda: class_rows(metrics["test"]), [])
    retrieval = {} if "retrieval" not in metrics else retrieval_labels(metrics["retrieval"])
    diagnosis = NO_DIAGNOSIS
    if results.diagnosis is not None:
        text = lambda: diagnosis_content(results.diagnosis, results.advice)  # noqa: E731
        diagnosis = part(DATA, "text of the diagnosis", text, NO_DIAGNOSIS)
    return {
        "experiment": experiment,
        "resolved": resolved_yaml(experiment),
        "manifest": manifest,
        "metrics": metrics,
        "tie": results.fitted.tie(experiment.training.checkpoint.monitor),
        "time_limit": None if (limit := manifest.get("time_limit")) is None else TimeLimit(**limit),
        "reported": reported,
        "foremost": _foremost(reported),
        "metric_rows": part(
            TRAINING, "table of the metrics", lambda: metric_rows(metrics["val"], metrics["test"], multi_label), []
        ),
        "multi_label": multi_label,
        "retrieval": retrieval,
        "reject": part(PROBABILITIES, "reject", lambda: reject_sentence(metrics), ""),
        "stroke_widths": part(PREDICTIONS, "stroke widths", lambda: stroke_width_sentence(metrics), ""),
        "classes": most_rows(classes),
        "class_count": len(classes),
        "unseen": [row["name"] for row in classes if row["support"] == 0],
        "pairs": results.pairs,
        "class_names": results.test.class_names,
        "notes": metrics.get("notes", []),
        "label_doubts": part(DATA, "table of likely label errors", lambda: label_doubt_rows(results), []),
        "diagnosis": diagnosis,
    }


def label_doubt_rows(results: Results) -> list[dict[str, Any]]:
    """Return a row for each of the likeliest label errors of val, where images have several labels."""
    if results.labels is None or "val" not in results.predictions:
        return []
    val = results.predictions["val"]
    return [
        {
            "file": val.names[doubt.position],
            "label": val.class_names[doubt.label],
            "is": "given" if doubt.is_given else "missing",
            "probability": doubt.probability,
        }
        for doubt in results.labels.errors[:MOST_DOUBTS]
    ]


def reported_rows(experiment: Experiment, metrics: dict[str, Any]) -> list[dict[str, Any]]:
    """Return, for each reported metric, name, label, the paper's value, ours and the difference; None if not measured."""
    rows = []
    for name, reported in experiment.reported.items():
        if isinstance(reported, str):
            continue
        split, key = COMPARABLE.get(name, (None, None))
        ours = metrics[split][key] if split else None
        difference = None if ours is None else ours - reported
        label = f"{split} {key.replace('_', ' ')}" if split else name
        rows.append({"name": name, "label": label, "reported": reported, "ours": ours, "difference": difference})
    return rows


def _foremost(reported: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Return the most important metric that both the paper and the run have: an accuracy, of test before val and train."""
    measured = {row["name"]: row for row in reported if row["ours"] is not None}
    return next((measured[name] for name in (*FOREMOST, *measured) if name in measured), None)


def class_rows(test: dict[str, Any]) -> list[dict[str, Any]]:
    """Return a row per class; None for undefined values: recall without images, precision without predictions."""
    rows = []
    for number, (name, metrics) in enumerate(test["per_class"].items()):
        row = {"number": number, "name": name, **metrics}
        if not row["support"]:
            row |= {"recall": None, "f1": None}
        if not row["predicted"]:
            row["precision"] = None
        rows.append(row)
    return rows


def most_rows(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows that a table of classes shows: all, or the `MOST_ROWS` with the lowest recall."""
    if len(rows) <= MOST_ROWS:
        return rows
    return sorted(rows, key=lambda row: 2 if row["recall"] is None else row["recall"])[:MOST_ROWS]
