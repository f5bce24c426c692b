"""The page of a diagnosis: the verdict, what it rests on, and what to change."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kerasexp.diagnosis.advice import Advice
from kerasexp.diagnosis.page_plots import counts_plot, image_plots, label_plots
from kerasexp.diagnosis.results import Diagnosis, JudgedLabels, Look
from kerasexp.diagnosis.sentences import headline, image_sentences, label_sentences, split_sentences
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
        title: what was diagnosed.
        about: `origin`, `stand_in` and `label_edits` of the data.
        faults: (name, reason) of the images that were left out.
        diagnosis: what was found.
        advice: what to change.
    """
    look = diagnosis.look
    content = {
        "title": title,
        "about": about,
        "faults": faults,
        **diagnosis_content(diagnosis, advice),
        "label_images": [[draw(plot) for plot in label_plots(judged, look, "")] for judged in diagnosis.labels],
        "counts": draw(counts_plot(look, "")),
        "odd_images": [draw(plot) for plot in image_plots(look, "")],
        "classes": class_rows(look),
        "split_names": list(look.classes),
    }
    write_text(output, render("diagnosis.html", content))


def diagnosis_content(diagnosis: Diagnosis, advice: Sequence[Advice]) -> dict[str, Any]:
    """Return what the parts of the template show, which a run's page has too."""
    return {
        "labels": [
            {
                "judged": judged,
                "headline": headline(judged),
                "sentences": list(label_sentences(judged))[1:],
                "errors": error_rows(judged, diagnosis.look),
            }
            for judged in diagnosis.labels
        ],
        "notes": diagnosis.notes,
        "split_sentences": list(split_sentences(diagnosis.look)),
        "image_sentences": list(image_sentences(diagnosis)),
        "advice": advice,
    }


def class_rows(look: Look) -> list[dict[str, Any]]:
    """Return a row per class: its name and its images in each split."""
    return [
        {"name": name, "counts": [int(found.counts[label]) for found in look.classes.values()]}
        for label, name in enumerate(look.class_names)
    ]


def error_rows(judged: JudgedLabels, look: Look) -> list[dict[str, Any]]:
    """Return the likeliest wrong labels: file, label, what it more likely is, and how likely; none where it cannot be told."""
    errors, opinion = judged.verdict.errors, judged.opinion
    if errors is None or not judged.verdict.resolved:
        return []
    return [
        {
            "file": look.splits[judged.split].names[judged.positions[position]],
            "label": opinion.class_names[opinion.labels[position]],
            "suggested": opinion.class_names[other],
            "probability": float(opinion.y_score[position, other]),
            "own": float(opinion.y_score[position, opinion.labels[position]]),
        }
        for position, other in zip(errors.positions[:LISTED], errors.suggested[:LISTED], strict=True)
    ]
