"""The page of a diagnosis: verdict, evidence, and what to change."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kerasexp.diagnosis.advice import Advice
from kerasexp.diagnosis.page_plots import class_counts_plot, image_plots, label_plots
from kerasexp.diagnosis.results import DatasetOverview, Diagnosis, LabelAssessment
from kerasexp.diagnosis.sentences import evidence_sentences, headline, image_sentences, split_sentences
from kerasexp.report.html import draw, render
from kerasexp.storage import write_text

LISTED = 200


def write_diagnosis_page(
    output: Path,
    title: str,
    about: dict[str, Any],
    faults: list[tuple[str, str]],
    diagnosis: Diagnosis,
    advice: Sequence[Advice],
) -> None:
    """Write the page.

    Args:
        output: the HTML file.
        title: name of the diagnosed data.
        about: `origin`, `stand_in` and `label_edits` of the data.
        faults: (name, reason) of the images that were left out.
        diagnosis: the results.
        advice: what to change.
    """
    overview = diagnosis.overview
    content = {
        "title": title,
        "about": about,
        "faults": faults,
        **diagnosis_content(diagnosis, advice),
        "label_plots": [[draw(plot) for plot in label_plots(labels, overview, "")] for labels in diagnosis.labels],
        "class_counts": draw(class_counts_plot(overview, "")),
        "image_plots": [draw(plot) for plot in image_plots(overview, "")],
        "classes": class_rows(overview),
        "split_names": list(overview.classes),
    }
    write_text(output, render("diagnosis.html", content))


def diagnosis_content(diagnosis: Diagnosis, advice: Sequence[Advice]) -> dict[str, Any]:
    """Return the values that the page shares with that of a run."""
    return {
        "labels": [
            {
                "split": labels.split,
                "assessor": labels.assessor,
                "kind": labels.verdict.kind,
                "headline": headline(labels),
                "sentences": list(evidence_sentences(labels)),
                "errors": error_rows(labels, diagnosis.overview),
            }
            for labels in diagnosis.labels
        ],
        "notes": diagnosis.notes,
        "split_sentences": list(split_sentences(diagnosis.overview)),
        "image_sentences": list(image_sentences(diagnosis)),
        "advice": advice,
    }


def class_rows(overview: DatasetOverview) -> list[dict[str, Any]]:
    """Return a row per class: its name and the number of its images in each split."""
    return [
        {"name": name, "counts": [int(found.counts[label]) for found in overview.classes.values()]}
        for label, name in enumerate(overview.class_names)
    ]


def error_rows(assessment: LabelAssessment, overview: DatasetOverview) -> list[dict[str, Any]]:
    """Return a row per likely label error, the likeliest first; none where errors cannot be resolved."""
    errors, predictions = assessment.verdict.errors, assessment.predictions
    if errors is None or not assessment.verdict.resolved:
        return []
    return [
        {
            "file": overview.splits[assessment.split].names[assessment.positions[position]],
            "label": predictions.class_names[predictions.labels[position]],
            "suggested": predictions.class_names[other],
            "suggested_probability": float(predictions.y_score[position, other]),
            "label_probability": float(predictions.y_score[position, predictions.labels[position]]),
        }
        for position, other in zip(errors.positions[:LISTED], errors.suggested[:LISTED], strict=True)
    ]
