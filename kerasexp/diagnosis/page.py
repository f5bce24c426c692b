"""The page of a diagnosis: verdict, evidence, and what to change."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from kerasexp.diagnosis.advice import Advice
from kerasexp.diagnosis.diagnosis_sentences import evidence_sentences, headline, image_sentences, split_sentences
from kerasexp.diagnosis.page_plots import class_counts_plot, image_plots, label_plots
from kerasexp.diagnosis.results import DatasetOverview, Diagnosis, label_errors
from kerasexp.report.html import Plot, render
from kerasexp.report.report_missing_parts import draw_all, rendered
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
        "label_plots": [
            list(draw_all(label_plots(labels, overview, ""), "", f"plots of the labels of {labels.split}"))
            for labels in diagnosis.labels
        ],
        "class_counts": list(draw_all(_class_counts(overview), "", "class_counts")),
        "image_plots": list(draw_all(image_plots(overview, ""), "", "images")),
        "overview": overview,
    }
    facts = [f"{labels['split']} labels: {labels['kind']}: {labels['headline']}" for labels in content["labels"]]
    write_text(output, rendered([], lambda: render("diagnosis.html", content), f"{title}: diagnosis", facts))


def _class_counts(overview: DatasetOverview) -> Iterator[Plot]:
    yield class_counts_plot(overview, "")


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
