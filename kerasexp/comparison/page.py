"""The page of a comparison."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from kerasexp.comparison.convergence_comparison import SHARES
from kerasexp.comparison.results import Comparison, exclusively_correct, settings_that_differ
from kerasexp.comparison.table import comparison_rows
from kerasexp.data.label_sets import as_classes, is_multi_label
from kerasexp.data.prepared_data import Split
from kerasexp.plots.learning_curves import plot_intervals, plot_learning_curves
from kerasexp.plots.sample_grid import plot_disagreements
from kerasexp.report.html import Plot, render
from kerasexp.report.report_missing_parts import Failure, by_section, draw_all, rendered
from kerasexp.runs.metric_labels import MOST_ROWS
from kerasexp.storage import write_text

# Images per gallery of disagreements.
GALLERY = 8


def write_comparison_page(output: Path, comparison: Comparison, images: Split | None, missing: str | None) -> None:
    """Write the page of a comparison.

    Args:
        output: the HTML file.
        comparison: of at least two runs.
        images: the test split that the runs share, or None.
        missing: why the images of a shared test split cannot be loaded, or None.
    """
    drawn = [
        *draw_all(_intervals(comparison), "Accuracy", "intervals"),
        *draw_all(_learning_curves(comparison), "Convergence", "learning_curves"),
        *draw_all(_disagreements(comparison, images), "Disagreement", "disagreements"),
    ]
    failures = [plot for plot in drawn if isinstance(plot, Failure)]
    classes = _class_rows(comparison)
    content = {
        "title": " and ".join(comparison.labels) if len(comparison.labels) < 4 else f"{len(comparison.labels)} runs",
        "comparison": comparison,
        "rows": comparison_rows(comparison),
        "pace": _pace(comparison),
        "warnings": [note.text for note in comparison.notes if note.kind == "warning"],
        "remarks": [note.text for note in comparison.notes if note.kind == "remark"],
        "differences": [
            (label, difference)
            for label, difference in zip(comparison.labels, comparison.differences, strict=True)
            if difference is not None
        ],
        "classes": classes if len(classes) <= MOST_ROWS else sorted(classes, key=_disagreement_in_recall)[:MOST_ROWS],
        "class_count": len(classes),
        "settings": settings_that_differ(comparison.runs),
        "missing": missing,
        "sections": by_section(drawn),
    }
    runs = zip(comparison.labels, comparison.runs, strict=True)
    facts = [f"{label}: test accuracy {run.metrics['test']['accuracy']:.4f}" for label, run in runs]
    write_text(output, rendered(failures, lambda: render("comparison.html", content), content["title"], facts))


def _disagreement_in_recall(row: dict[str, Any]) -> float:
    """Return the key that sorts classes by the difference between the last and the first run, the largest first."""
    return -abs(row["recalls"][-1] - row["recalls"][0])


def _pace(comparison: Comparison) -> list[str]:
    """Return a sentence for each share of the best val accuracy: when each run reached it."""
    sentences = []
    for share in SHARES:
        reached = [
            f"{label} never" if at is None else f"{label} after {at[0]:,} steps ({at[1]:,.1f} s)"
            for label, found in zip(comparison.labels, comparison.convergences, strict=True)
            for at in [found.reached[share]]
        ]
        sentences.append(f"Reached {100 * share:.0f} % of the best val accuracy: {', '.join(reached)}.")
    return sentences


def _class_rows(comparison: Comparison) -> list[dict[str, Any]]:
    """Return class, number of images and recall of each run; nothing if the test sets differ."""
    if not comparison.same_test:
        return []
    tests = [run.metrics["test"]["per_class"] for run in comparison.runs]
    return [
        {"name": name, "support": first["support"], "recalls": [test[name]["recall"] for test in tests]}
        for name, first in tests[0].items()
        if first["support"]
    ]


def _intervals(comparison: Comparison) -> Iterator[Plot]:
    runs, labels = comparison.runs, comparison.labels
    tests = [run.metrics["test"] for run in runs]
    yield Plot(
        "Accuracy",
        "intervals",
        "Test accuracy with its 95 % interval"
        + (". The test images are the same, so the interval of a difference is narrower than these suggest." if
           comparison.same_test else " on test sets that differ."),
        "; ".join(f"{label} {test['accuracy']:.4f}" for label, test in zip(labels, tests, strict=True)),
        plot_intervals(
            labels,
            *(np.array([test[key] for test in tests]) for key in ("accuracy", "accuracy_low", "accuracy_high")),
            [run.experiment.reported.get("test_accuracy") for run in runs],
        ),
    )  # fmt: skip


def _learning_curves(comparison: Comparison) -> Iterator[Plot]:
    runs, labels = comparison.runs, comparison.labels
    early = all(run.early is not None for run in runs)
    points = "1,000 val images, at early steps and after each epoch" if early else "val after each epoch"
    yield Plot(
        "Convergence",
        "learning_curves",
        f"Accuracy and loss on {points}, over steps and over seconds.",
        f"Learning curves of {len(runs)} runs; the best accuracy is {comparison.best:.4f}.",
        plot_learning_curves(list(zip(labels, comparison.curves, strict=True))),
    )


def _disagreements(comparison: Comparison, images: Split | None) -> Iterator[Plot]:
    if images is None:
        return
    alone, no_run = exclusively_correct(comparison.runs)
    for number, (label, positions) in enumerate(zip(comparison.labels, alone, strict=True)):
        if len(positions):
            caption = f"Images that only {label} classifies correctly: {len(positions)}"
            yield _gallery(comparison, images, positions, f"only_{number}", caption)
    if len(no_run):
        caption = f"Images that no run classifies correctly: {len(no_run)}"
        yield _gallery(comparison, images, no_run, "no_run", caption)


def _gallery(comparison: Comparison, images: Split, positions: np.ndarray, name: str, caption: str) -> Plot:
    shown = positions[:GALLERY]
    first = comparison.runs[0].predictions
    files = [first.names[i] for i in shown]
    stored = {image: i for i, image in enumerate(images.names)}
    predicted, confidence = [], []
    for run in comparison.runs:
        own = {image: i for i, image in enumerate(run.predictions.names)}
        rows = [own[image] for image in files]
        predicted.append(run.predictions.y_pred[rows])
        confidence.append(run.predictions.confidence[rows])
    caption += ". Above each image: its class, then the predictions of the runs in their order"
    caption += f"; shown are the {len(shown)} most confident errors." if len(positions) > len(shown) else "."
    y_true, y_pred, names = first.y_true[shown], np.stack(predicted, axis=1), first.class_names
    if is_multi_label(y_true):
        both, names = as_classes(np.concatenate([y_true[:, np.newaxis], y_pred], axis=1), names)
        y_true, y_pred = both[:, 0], both[:, 1:]
    figure = plot_disagreements(
        images.images[[stored[image] for image in files]],
        y_true,
        y_pred,
        np.stack(confidence, axis=1),
        names,
    )
    return Plot("Disagreement", name, caption, f"{len(shown)} images.", figure, chart=False)
