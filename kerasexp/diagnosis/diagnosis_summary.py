"""A diagnosis as the lines of a console, and as plain values."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from kerasexp.data.label_sets import label_text
from kerasexp.data.prepared_data import PreparedData
from kerasexp.diagnosis.advice import Advice
from kerasexp.diagnosis.diagnosis_sentences import evidence_sentences, headline, image_sentences, split_sentences
from kerasexp.diagnosis.image_diagnosis import Place
from kerasexp.diagnosis.results import DatasetOverview, Diagnosis, LabelAssessment, label_errors
from kerasexp.evaluation.confusion_counts import Table, filled_cells


def as_text(diagnosis: Diagnosis, advice: Sequence[Advice]) -> Iterator[str]:
    """Yield the lines of the console: labels, splits, images, and what to change."""
    for labels in diagnosis.labels:
        yield f"{labels.split} labels: {labels.verdict.kind}: {headline(labels)}"
        yield from (f"  {sentence}" for sentence in evidence_sentences(labels))
    yield from diagnosis.notes
    for title, sentences in (("splits", split_sentences(diagnosis.overview)), ("images", image_sentences(diagnosis))):
        yield f"{title}:"
        yield from (f"  {sentence}" for sentence in sentences)
    yield "what to change:" if advice else "nothing to change was found"
    for item in advice:
        yield f"  {item.reason}"
        yield from (f"    {line}" for line in item.yaml.splitlines())


def data_facts(source: str, data: PreparedData) -> dict[str, Any]:
    """Return what is known of the data without a diagnosis, as plain values.

    Args:
        source: as the user gave it.
        data: its splits.
    """
    return {
        "source": source,
        "origin": data.origin,
        "stand_in": data.stand_in,
        "label_edits": data.edits,
        "data_notes": data.notes,
        "left_out": [{"file": name, "reason": reason} for name, reason in data.faults],
    }


def as_json(diagnosis: Diagnosis, advice: Sequence[Advice]) -> dict[str, Any]:
    """Return all results as plain values."""
    overview, foremost = diagnosis.overview, diagnosis.foremost
    return {
        "verdict": None if foremost is None else foremost.verdict.kind,
        "labels": [_labels_json(labels, overview) for labels in diagnosis.labels],
        "notes": diagnosis.notes,
        "splits": {
            "class_counts": {
                split: dict(zip(overview.class_names, found.counts.tolist(), strict=True))
                for split, found in overview.classes.items()
            },
            "missing": _classes_json(overview, "missing"),
            "rare": _classes_json(overview, "rare"),
            "shift": None if overview.shift is None else asdict(overview.shift),
            "train_from_test": None if overview.two_sample is None else asdict(overview.two_sample),
            "sentences": list(split_sentences(overview)),
        },
        "images": {
            "duplicates": [[_place_json(overview, place) for place in group] for group in overview.duplicates.groups],
            "blank": [_place_json(overview, place) for place in overview.unusual.blank],
            "inverted": [_place_json(overview, place) for place in overview.unusual.inverted],
            "stored": None if diagnosis.stored is None else asdict(diagnosis.stored),
            "sentences": list(image_sentences(diagnosis)),
        },
        "advice": [{"reason": item.reason, "change": item.change} for item in advice],
    }


def _labels_json(assessment: LabelAssessment, overview: DatasetOverview) -> dict[str, Any]:
    verdict, information, null = assessment.verdict, assessment.verdict.information, assessment.verdict.information.null
    errors = label_errors(assessment, overview)
    return {
        "split": assessment.split,
        "assessor": assessment.assessor,
        "verdict": verdict.kind,
        "images": len(assessment.positions),
        "rate": verdict.rate,
        "rate_low": verdict.low,
        "rate_high": verdict.high,
        "resolved": verdict.resolved,
        "moved": verdict.permutation,
        "decode": verdict.decode,
        "agreement": verdict.agreement,
        "chance": verdict.chance,
        "information_bits": information.bits,
        "null_bits": {"mean": float(null.mean()), "highest": float(null.max()), "draws": len(null)},
        "p_value": information.p_value,
        **_table_json(verdict.table),
        "class_names": assessment.predictions.class_names,
        "likely_errors": [{key: row[key] for key in ("file", "label", "suggested")} for row in errors],
        "sentences": [f"{verdict.kind}: {headline(assessment)}", *evidence_sentences(assessment)],
    }


def _table_json(table: Table) -> dict[str, list[list[int]]]:
    """Return the table, or of very many classes its filled cells: label, predicted class and count."""
    if isinstance(table, np.ndarray):
        return {"table": table.tolist()}
    return {"cells": np.stack(filled_cells(table), axis=1).tolist()}


def _classes_json(overview: DatasetOverview, which: str) -> dict[str, list[str]]:
    names = overview.class_names
    return {split: [names[k] for k in getattr(found, which)] for split, found in overview.classes.items()}


def _place_json(overview: DatasetOverview, place: Place) -> dict[str, str]:
    split, position = place
    return {
        "split": split,
        "file": overview.splits[split].names[position],
        "label": label_text(overview.splits[split].labels[position], overview.class_names),
    }
