"""The report: one HTML file that opens offline, with every plot inside it."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from kerasexp.config import Experiment, resolved_yaml
from kerasexp.data.preparation import PreparedData
from kerasexp.evaluation.predictions import Predictions
from kerasexp.plots.confusion import plot_confusion
from kerasexp.plots.curves import plot_curves
from kerasexp.plots.samples import plot_samples
from kerasexp.runs import RunDirectory, write_bytes, write_text

SAMPLES = 4
# Names of reported figures that are measured as well, and where they lie. As in Keras, a bare name is of the training
# pictures, as they were seen in the last epoch.
COMPARABLE = {
    "accuracy": ("train", "accuracy"),
    "loss": ("train", "loss"),
    "val_accuracy": ("val", "accuracy"),
    "val_loss": ("val", "loss"),
    "test_accuracy": ("test", "accuracy"),
    "test_loss": ("test", "loss"),
    "test_macro_f1": ("test", "macro_f1"),
}


def write_plots(
    run: RunDirectory,
    data: PreparedData,
    predictions: Predictions,
    metrics: dict[str, Any],
    history: list[dict[str, float]],
) -> list[dict[str, Any]]:
    """Draw the run's figures into its `plots` folder; return file, title and alternative text of each, in their order."""
    from sklearn.metrics import confusion_matrix

    counts = confusion_matrix(predictions.y_true, predictions.y_pred, labels=np.arange(len(predictions.class_names)))
    right = np.flatnonzero(predictions.y_true == predictions.y_pred)[:SAMPLES]
    wrong = np.flatnonzero(predictions.y_true != predictions.y_pred)
    # The most confident mistakes tell most: about the model, or about the label.
    wrong = wrong[np.argsort(-predictions.y_score[wrong].max(axis=1), kind="stable")][:SAMPLES]
    shown = np.concatenate([right, wrong])
    images = data.splits["test"].images[shown]
    accuracy = metrics["test"]["accuracy"]
    figures = [
        ("curves", "Training", f"Loss, accuracy and learning rate over {len(history)} epochs.", plot_curves(history)),
        (
            "confusion",
            "Confusion matrix of the test split",
            f"Confusion matrix of {len(predictions.class_names)} classes; {accuracy:.1%} of the pictures lie on the diagonal.",
            plot_confusion(counts, predictions.class_names),
        ),
        (
            "samples",
            "Correct predictions, and the most confident mistakes",
            f"{len(right)} correctly and {len(wrong)} wrongly classified test pictures with predicted class and probability.",
            plot_samples(
                images, predictions.y_true[shown], predictions.y_score[shown], predictions.class_names, SAMPLES
            ),
        ),
    ]
    plots = []
    for name, title, text, figure in figures:
        content = _png(figure)
        write_bytes(run.plots / f"{name}.png", content)
        plots.append(
            {
                "name": name,
                "title": title,
                "alt": text,
                "data": base64.b64encode(content).decode("ascii"),
                "wide": name == "curves",
            }
        )
    return plots


def write_report(
    run: RunDirectory,
    experiment: Experiment,
    manifest: dict[str, Any],
    metrics: dict[str, Any],
    history: list[dict[str, float]],
    plots: list[dict[str, Any]],
) -> None:
    """Write `report.html`."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page = environment.get_template("run.html").render(
        experiment=experiment,
        resolved=resolved_yaml(experiment),
        manifest=manifest,
        metrics=metrics,
        plots=plots,
        reported=reported_rows(experiment, {**metrics, "train": history[-1]}),
    )
    write_text(run.report, page)


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


def _png(figure: Figure) -> bytes:
    out = io.BytesIO()
    figure.savefig(out, format="png", dpi=110)
    return out.getvalue()
