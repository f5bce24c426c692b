"""Entries of the list of runs: what a run, a study or a search has under each key, read from its directory."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from kerasexp.browser.filter_expression import Value
from kerasexp.browser.run_folders import FoundFolder
from kerasexp.browser.run_tags import read_tags
from kerasexp.config.section_base import KIND_KEYS
from kerasexp.saving.json_values import folder_below, mapping_of, mappings_of, number_of, text_of
from kerasexp.saving.saved_files import RunFiles, read_mapping
from kerasexp.search.trial_order import place_of

# An experiment was validated when it was written, and thousands of them are read: by the C loader where there is one.
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
# Of a text in the list.
LONGEST = 500
# Manifest facts, and their keys in the list.
FACTS = {
    "name": ("name",), "cause": ("cause",), "precision": ("precision",), "parameters": ("parameters",), "flops": ("flops",),
    "started": ("times", "started"), "ended": ("times", "finished"), "data.origin": ("data", "origin"),
    "kerasexp": ("versions", "kerasexp"), "processor": ("hardware", "processor"),
}  # fmt: skip
# Text of a section that is there and has no word of its own, so that it differs from `null`.
SECTION = "set"


@dataclass(frozen=True)
class Entry:
    """What the list has of a run, a study or a search.

    Attributes:
        folder: where it was found.
        state: the status that was written last; a killed process wrote none, so `running` may be over.
        settings: the keys of its experiment; None has the value `null`.
        values: everything else: metrics, times, tags.
    """

    folder: FoundFolder
    state: str
    settings: dict[str, Value]
    values: dict[str, Value]


def read_entry(root: Path, found: FoundFolder) -> Entry | None:
    """Read what a directory holds; None if its summary cannot be read, such as while it is deleted."""
    place = root / found.path
    readers = {"study": _study, "search": _search}
    summary = read_mapping(place / f"{found.kind}.json") if found.kind in readers else RunFiles(place).read_manifest()
    if not summary:
        return None
    own = {
        "path": found.path,
        "kind": found.kind,
        "of": found.parent,
        "started": found.changed,
        **read_tags(place).values(),
    }
    if found.kind in readers:
        read = readers[found.kind](place, summary)
        return Entry(found, text_of(summary.get("status"), "unfinished"), {}, _present({**own, **read}))
    settings = dict(_settings(_experiment(RunFiles(place).experiment)))
    values = {**own, **_facts(summary), **_metrics(RunFiles(place))}
    return Entry(found, text_of(summary.get("status"), "unknown"), settings, _present(values))


def _present(values: Mapping[str, Value]) -> dict[str, Value]:
    return {key: value for key, value in values.items() if value is not None}


def _experiment(path: Path) -> dict[str, Any]:
    try:
        content = yaml.load(path.read_bytes(), LOADER)  # noqa: S506 (a safe loader)
    except (OSError, ValueError, yaml.YAMLError):
        return {}
    return content if isinstance(content, dict) else {}


def _settings(section: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Value]]:
    """Yield dotted keys and values; a section has the word that names its kind; an upstream experiment is its name."""
    for key, value in section.items():
        name = text_of(f"{above}{key}")
        if not isinstance(value, dict):
            yield name, as_value(value)
        elif name == "init.experiment":
            yield name, as_value(value.get("name"))
        else:
            yield name, next((text_of(value[kind]) for kind in KIND_KEYS if kind in value), SECTION)
            yield from _settings(value, f"{name}.")


def as_value(value: Any) -> Value:
    """Return a plain value as one of the list: a number, or a text as YAML writes it; None for `null`."""
    if isinstance(value, bool | list | dict):
        return text_of(json.dumps(value, ensure_ascii=False))[:LONGEST]
    if value is None or isinstance(value, float):
        return value if value == value else None  # SQLite has no NaN
    if isinstance(value, int):
        return value if abs(value) < 2**63 else number_of(value)
    return text_of(value)[:LONGEST]


def _facts(manifest: dict[str, Any]) -> dict[str, Value]:
    found: dict[str, Value] = {}
    for key, path in FACTS.items():
        node: Any = manifest
        for part in path:
            node = node.get(part) if isinstance(node, dict) else None
        found[key] = as_value(node)
    seconds = _seconds_between(found["started"], found["ended"])
    return {**found, "status": as_value(manifest.get("status")), "minutes": None if seconds is None else seconds / 60}


def _seconds_between(start: Value, end: Value) -> float | None:
    try:
        return (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds()
    except (TypeError, ValueError):
        return None


def _metrics(run: RunFiles) -> dict[str, Value]:
    """Return the metrics of val and test, epochs and seconds; of an unfinished run, those of its last epoch on val."""
    metrics = read_mapping(run.metrics)
    if not metrics:
        return _last_epoch(run.history)
    found: dict[str, Value] = {
        "epochs": as_value(metrics.get("epochs")),
        "seconds": as_value(metrics.get("train_seconds")),
    }
    for split in ("val", "test"):
        found |= {
            text_of(f"{split}.{name}"): number_of(value) for name, value in mapping_of(metrics.get(split)).items()
        }
    return found


def _last_epoch(history: Path) -> dict[str, Value]:
    try:
        lines = history.read_text(encoding="utf-8").splitlines()
        row = {name: float(value) for name, value in zip(lines[0].split(","), lines[-1].split(","), strict=True)}
    except (OSError, ValueError, IndexError):
        return {}
    of_val = {f"val.{name.removeprefix('val_')}": value for name, value in row.items() if name.startswith("val_")}
    return {"epochs": int(row.get("epoch", 0)), "seconds": row.get("seconds"), **of_val}


def _study(place: Path, study: dict[str, Any]) -> dict[str, Value]:
    """Return how far a study is, and the means of the variant that is best on val."""
    variants = mappings_of(study.get("variants"))
    runs = [run for variant in variants for run in mappings_of(variant.get("runs"))]
    folders = (folder_below(place, run.get("folder")) for run in runs)
    means = [(number_of(_spread(variant, "val").get("mean")), variant) for variant in variants]
    scored = [(mean, variant) for mean, variant in means if mean is not None]
    _, best = max(scored, key=lambda pair: pair[0], default=(None, None))
    found: dict[str, Value] = {
        "name": as_value(study.get("name")),
        "runs": len(runs),
        "finished": sum(run.get("status") == "finished" for run in runs),
        "seconds": sum(number_of(run.get("train_seconds")) or 0.0 for run in runs),
        "started": _started(folder for folder in folders if folder is not None),
    }
    if best is not None:
        found["best"] = as_value(best.get("name"))
        for split in ("val", "test"):
            for ending, key in (("", "mean"), ("_low", "low"), ("_high", "high")):
                found[f"{split}.accuracy{ending}"] = number_of(_spread(best, split).get(key))
    return found


def _spread(variant: dict[str, Any], split: str) -> dict[str, Any]:
    """Return what a variant's summary has of its accuracy on a split."""
    return mapping_of(mapping_of(variant.get("metrics")).get(f"{split}_accuracy"))


def _search(place: Path, search: dict[str, Any]) -> dict[str, Value]:
    """Return how far a search is, and the score of its best trial, which is one on val."""
    trials = mappings_of(search.get("trials"))
    settings = mapping_of(mapping_of(search.get("identity")).get("search"))
    objective = text_of(settings.get("objective"), "val_accuracy")
    scored = [trial for trial in trials if number_of(trial.get("score")) is not None]
    finished = [trial for trial in scored if trial.get("status") == "finished"]  # none that repeats another one
    direction = "min" if objective.endswith("loss") else "max"
    places = [place_of(number_of(trial["score"]), number_of(trial.get("loss")), direction) for trial in finished]
    best = finished[places.index(min(places))] if finished else None
    found: dict[str, Value] = {
        "name": as_value(search.get("name")),
        "runs": len(trials),
        "finished": len(scored),
        "seconds": as_value(search.get("seconds")),
        "search.objective": objective,
        "search.algorithm": as_value(settings.get("algorithm")),
        "started": _started([place / "trial_0000" / "run"]),
    }
    if best is not None:
        found |= {"best": as_value(best.get("id")), f"val.{objective.removeprefix('val_')}": number_of(best["score"])}
    return found


def _started(runs: Iterator[Path] | list[Path]) -> Value:
    """Return when the first of these runs started; now, if none has."""
    for run in runs:
        started = mapping_of(RunFiles(run).read_manifest().get("times")).get("started")
        if started is not None:
            return as_value(started)
    return datetime.now(UTC).isoformat(timespec="seconds")
