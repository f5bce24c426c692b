"""What there is to send of a study or a search: a run of the tracker that those of its runs are nested in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from kerasexp.browser.run_entries import read_entry
from kerasexp.browser.run_folders import SUMMARIES, FoundFolder
from kerasexp.browser.run_index import status_now
from kerasexp.browser.run_tags import read_tags
from kerasexp.config.search_section import OBJECTIVES
from kerasexp.saving.saved_files import RunFiles, read_mapping
from kerasexp.search.directory import SearchDirectory
from kerasexp.studies.directory import StudyDirectory
from kerasexp.tracking.run_record import (
    existing,
    flattened,
    is_number,
    parameters_of,
    read_experiment,
    run_name,
    seconds_of,
)
from kerasexp.tracking.tracker import Point, RecordFile, RunRecord


def read_summary(root: Path, found: FoundFolder, with_checkpoint: bool) -> RunRecord:
    """Return what there is to send of a study or a search; arguments as of `read_record`."""
    place, parent = root / found.path, None if found.parent is None else root / found.parent
    summary = read_mapping(place / SUMMARIES[found.kind])
    status, entry = status_now(place, str(summary.get("status", "unfinished"))), read_entry(root, found)
    values = {} if entry is None else entry.values
    changed = (place / SUMMARIES[found.kind]).stat().st_mtime
    is_search = found.kind == "search"
    started = seconds_of(values.get("started")) or changed
    files = _search_files if is_search else _study_files
    is_over = status != "running"
    return RunRecord(
        place,
        found.kind,
        run_name(place, parent),
        str(summary.get("name", place.name)),
        parent and run_name(parent, None),
        status,
        started,
        changed if is_over else None,
        dict(flattened(_search_keys(summary)) if is_search else _study_keys(read_experiment(place, found.kind))),
        {
            "kerasexp.kind": found.kind,
            "kerasexp.key": str(summary.get("key", "")),
            "kerasexp.run_dir": str(place.resolve()),
            **({"kerasexp.tags": tags} if (tags := ", ".join(read_tags(place).tags)) else {}),
        },
        _note(place),
        list(_trials(summary, started)) if is_search else [],
        {key.replace(".", "/"): float(value) for key, value in values.items() if is_number(value)} if is_over else {},
        list(files(place, with_checkpoint)) if is_over else [],
    )


def _study_keys(study: Mapping[str, Any]) -> dict[str, Any]:
    """Return variants and seeds, and what all variants have in common."""
    variants = study.get("variants") or {}
    keys = [dict(flattened(parameters_of(variant))) for variant in variants.values()]
    shared = {key: value for key, value in (keys[0] if keys else {}).items() if all(k.get(key) == value for k in keys)}
    return {**dict(flattened({"variants": list(variants), "seeds": study.get("seeds", [])})), **shared}


def _search_keys(search: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of a search, and its keys, of which a domain is a value in one line."""
    identity = search.get("identity", {})
    return {"search": identity.get("search", {}), **parameters_of(identity.get("keys", {}))}


def _note(place: Path) -> str:
    """Return what the user has noted, and of a study its table."""
    table = StudyDirectory(place).table
    text = table.read_text(encoding="utf-8", errors="replace") if table.is_file() else ""
    return "\n\n".join(part for part in (read_tags(place).note, text.strip()) if part)


def _trials(search: Mapping[str, Any], started: float) -> Iterator[Point]:
    """Yield the score of each trial, in the order of their ends, and the best so far."""
    objective = search.get("identity", {}).get("search", {}).get("objective", "val_accuracy")
    better, best = max if OBJECTIVES.get(objective, ("", "max"))[1] == "max" else min, None
    for number, trial in enumerate(search.get("trials", []), start=1):
        if is_number(score := trial.get("score")):
            best = score if best is None else better(best, score)
            yield Point(number, started + trial.get("ended", 0.0), {objective: score, f"best_{objective}": best})


def _study_files(place: Path, with_checkpoint: bool) -> Iterator[RecordFile]:
    study = StudyDirectory(place)
    plots = sorted(study.plots.glob("*.png"))
    yield from existing(place, [RunFiles(place).experiment, study.study, study.table, study.page, *plots])


def _search_files(place: Path, with_checkpoint: bool) -> Iterator[RecordFile]:
    search = SearchDirectory(place)
    yield from existing(place, [search.yaml, search.summary, search.trials, search.best, search.page])
    yield from existing(place, sorted(search.plots.glob("*.png")))
    if with_checkpoint:
        yield from existing(place, sorted(search.checkpoint.rglob("*")))
