"""A diagnosis as the lines of a console, and as plain values."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from kerasexp.diagnosis.advice import Advice
from kerasexp.diagnosis.image_checks import Place
from kerasexp.diagnosis.results import Diagnosis, JudgedLabels, Look
from kerasexp.diagnosis.sentences import image_sentences, label_sentences, split_sentences


def as_text(diagnosis: Diagnosis, advice: Sequence[Advice]) -> Iterator[str]:
    """Yield the lines of the console: labels, splits, images, and what to change."""
    for judged in diagnosis.labels:
        first, *others = label_sentences(judged)
        yield f"{judged.split} labels: {first}"
        yield from (f"  {sentence}" for sentence in others)
    yield from diagnosis.notes
    for title, sentences in (("splits", split_sentences(diagnosis.look)), ("images", image_sentences(diagnosis))):
        yield f"{title}:"
        yield from (f"  {sentence}" for sentence in sentences)
    yield "what to change:" if advice else "nothing to change was found"
    for item in advice:
        yield f"  {item.reason}"
        yield from (f"    {line}" for line in item.yaml.splitlines())


def as_json(diagnosis: Diagnosis, advice: Sequence[Advice]) -> dict[str, Any]:
    """Return everything as plain values."""
    look, foremost = diagnosis.look, diagnosis.foremost
    return {
        "verdict": None if foremost is None else foremost.verdict.kind,
        "labels": [_judged_json(judged, look) for judged in diagnosis.labels],
        "notes": diagnosis.notes,
        "splits": {
            "class_counts": {
                split: dict(zip(look.class_names, found.counts.tolist(), strict=True))
                for split, found in look.classes.items()
            },
            "missing": _classes_json(look, "missing"),
            "rare": _classes_json(look, "rare"),
            "shift": None if look.shift is None else asdict(look.shift),
            "train_from_test": None if look.apart is None else asdict(look.apart),
            "sentences": list(split_sentences(look)),
        },
        "images": {
            "duplicates": [[_place_json(look, place) for place in group] for group in look.duplicates.groups],
            "blank": [_place_json(look, place) for place in look.odd.blank],
            "inverted": [_place_json(look, place) for place in look.odd.inverted],
            "stored": None if diagnosis.stored is None else asdict(diagnosis.stored),
            "sentences": list(image_sentences(diagnosis)),
        },
        "advice": [{"reason": item.reason, "change": item.change} for item in advice],
    }


def _judged_json(judged: JudgedLabels, look: Look) -> dict[str, Any]:
    verdict, names = judged.verdict, judged.opinion.class_names
    errors = verdict.errors
    found = verdict.information
    wrong = [] if errors is None else zip(errors.positions, errors.suggested, strict=True)
    return {
        "split": judged.split,
        "judge": judged.judge,
        "verdict": verdict.kind,
        "images": len(judged.positions),
        "rate": verdict.rate,
        "rate_low": verdict.low,
        "rate_high": verdict.high,
        "can_be_told": verdict.resolved,
        "moved": verdict.moved,
        "decode": verdict.decode,
        "agreement": verdict.agreement,
        "chance": verdict.chance,
        "information_bits": found.bits,
        "null_bits": {"mean": float(found.null.mean()), "highest": float(found.null.max()), "draws": len(found.null)},
        "p_value": found.p_value,
        "table": verdict.table.tolist(),
        "class_names": names,
        "likely_errors": [
            {
                "file": look.splits[judged.split].names[judged.positions[i]],
                "label": names[judged.opinion.labels[i]],
                "suggested": names[other],
            }
            for i, other in wrong
        ],
        "sentences": list(label_sentences(judged)),
    }


def _classes_json(look: Look, which: str) -> dict[str, list[str]]:
    return {split: [look.class_names[k] for k in getattr(found, which)] for split, found in look.classes.items()}


def _place_json(look: Look, place: Place) -> dict[str, str]:
    split, position = place
    return {
        "split": split,
        "file": look.splits[split].names[position],
        "label": look.class_names[look.splits[split].labels[position]],
    }
