"""The page of a diagnosis: verdict, evidence, and what to change."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kerasexp.diagnosis.advice import Advice
from kerasexp.diagnosis.page_plots import class_counts_plot, image_plots, label_plots
from kerasexp.diagnosis.results import Diagnosis, label_errors
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
        "overview": overview,
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
                "errors": label_errors(labels, diagnosis.overview)[:LISTED] if labels.verdict.resolved else [],
            }
            for labels in diagnosis.labels
        ],
        "notes": diagnosis.notes,
        "split_sentences": list(split_sentences(diagnosis.overview)),
        "image_sentences": list(image_sentences(diagnosis)),
        "advice": advice,
    }
