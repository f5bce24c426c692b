"""What there is to send of a run, read from its files: the training knows nothing of trackers."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

from kerasexp.browser.run_folders import FoundFolder
from kerasexp.browser.run_index import status_now
from kerasexp.browser.run_tags import read_tags
from kerasexp.config.track_section import TRACK, Track, read_track
from kerasexp.errors import without_credentials
from kerasexp.saving.saved_files import RunFiles, read_mapping
from kerasexp.search.directory import SearchDirectory
from kerasexp.tracking.tracker import Point, RecordFile, RunRecord

# An experiment was validated when it was written.
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
# Columns of `history.csv` that are no metrics.
POSITION = ("epoch", "step")
# Sections of `metrics.json` whose numbers are sent with the name of the section.
SECTIONS = ("val", "test", "retrieval", "stroke_widths")
# Keys of an experiment that say nothing of it.
WITHOUT = (TRACK, "name", "reported", "report")


def read_trackers(place: Path, kind: str) -> Track:
    """Return the trackers that a directory names; none if its experiment cannot be read."""
    with suppress(ValueError):
        return read_track(read_experiment(place, kind))
    return Track()


def read_record(root: Path, found: FoundFolder, with_checkpoint: bool) -> RunRecord:
    """Return what there is to send of a directory.

    Args:
        root: the folder that it was found in.
        found: the directory.
        with_checkpoint: whether the checkpoint is sent.
    """
    from kerasexp.tracking.summary_record import read_summary

    if found.kind in ("study", "search"):
        return read_summary(root, found, with_checkpoint)
    run = RunFiles(root / found.path)
    manifest, parent = run.read_manifest(), None if found.parent is None else root / found.parent
    status = status_now(run.path, str(manifest.get("status", "unknown")))
    times, metrics = manifest.get("times", {}), read_mapping(run.metrics)
    started = seconds_of(times.get("started")) or run.manifest.stat().st_mtime
    is_over = status != "running"
    is_checkpoint_sent = with_checkpoint and found.kind == "run" and status == "finished"
    return RunRecord(
        run.path,
        found.kind,
        run_name(run.path, parent),
        str(manifest.get("name", run.path.name)),
        parent and run_name(parent, None),
        status,
        started,
        seconds_of(times.get("finished")) if is_over else None,
        dict(flattened(parameters_of(read_experiment(run.path, found.kind)))),
        _tags(run, manifest, found.kind),
        read_tags(run.path).note,
        list(_points(run, started)),
        dict(_summary(metrics)) if is_over else {},
        list(_files(run, manifest, is_over, is_checkpoint_sent)),
    )


def run_name(place: Path, parent: Path | None) -> str:
    """Return the name of a run in a tracker, such as `cnn/0`, `trial_03` or `part1_digits/1`."""
    if parent is not None:
        return place.relative_to(parent).as_posix().removesuffix("/run")
    resolved = place.resolve()
    return f"{resolved.parent.name}/{resolved.name}" if resolved.name.isdecimal() else resolved.name


def read_experiment(place: Path, kind: str) -> dict[str, Any]:
    """Return the experiment of a directory as it was written; an empty dict if it cannot be read."""
    path = SearchDirectory(place).yaml if kind == "search" else RunFiles(place).experiment
    try:
        content = yaml.load(path.read_bytes(), LOADER)  # noqa: S506 (a safe loader)
    except (OSError, ValueError, yaml.YAMLError):
        return {}
    return content if isinstance(content, dict) else {}


def seconds_of(time: Any) -> float | None:
    """Return a time of a manifest in seconds since 1970."""
    try:
        return datetime.fromisoformat(time).timestamp()
    except (TypeError, ValueError):
        return None


def parameters_of(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keys of an experiment that are parameters of a run in a tracker."""
    kept = {key: value for key, value in content.items() if key not in WITHOUT}
    init = kept.get("init")
    if isinstance(init, dict) and isinstance(init.get("experiment"), dict):  # which is a run of its own
        kept["init"] = {**init, "experiment": init["experiment"].get("name")}
    return kept


def flattened(node: Any, above: str = "") -> Iterator[tuple[str, Any]]:
    """Yield dotted keys and their values; a list of plain values is one value."""
    if isinstance(node, list) and any(isinstance(item, dict | list) for item in node):
        node = {str(position): item for position, item in enumerate(node)}
    if isinstance(node, dict) and (node or not above):
        for key, value in node.items():
            yield from flattened(value, f"{above}.{key}" if above else str(key))
    else:
        yield above, node


def _tags(run: RunFiles, manifest: Mapping[str, Any], kind: str) -> dict[str, str]:
    provenance, data = manifest.get("provenance") or {}, manifest.get("data", {})
    git = provenance.get("git") or {}
    is_changed = git.get("changed")
    found = {
        "kind": kind,
        "key": manifest.get("key"),
        "run_dir": str(run.path.resolve()),
        "version": manifest.get("versions", {}).get("kerasexp"),
        "tensorflow": manifest.get("versions", {}).get("tensorflow"),
        "command": " ".join(provenance.get("command", [])),
        "file": provenance.get("file"),
        "data.origin": data.get("origin"),
        "data.fingerprint": data.get("fingerprint"),
        "stand_ins": "; ".join(manifest.get("stand_ins", [])),
        "parameters": manifest.get("parameters"),
        "flops": manifest.get("flops"),
        "precision": manifest.get("precision"),
        "processor": manifest.get("hardware", {}).get("processor"),
        "gpus": ", ".join(manifest.get("hardware", {}).get("gpus", [])),
        "git.commit": git.get("commit"),
        "git.branch": git.get("branch"),
        "git.remote": git.get("remote"),
        "git.changed": None if is_changed is None else json.dumps(is_changed),
        "cause": manifest.get("cause"),
        "tags": ", ".join(read_tags(run.path).tags),
    }
    return {
        f"kerasexp.{key}": without_credentials(str(value)) for key, value in found.items() if value not in (None, "")
    }


def _points(run: RunFiles, started: float) -> Iterator[Point]:
    try:
        with run.history.open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                values = {name: float(value) for name, value in row.items() if name not in POSITION}
                yield Point(int(row["epoch"]), started + values["seconds"], values)
    except (OSError, ValueError, KeyError, TypeError):
        return  # no epoch has ended, or a row is damaged


def _summary(metrics: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    for key, value in metrics.items():
        if is_number(value):
            yield key, float(value)
        elif key in SECTIONS and isinstance(value, dict):
            yield from ((f"{key}/{name}", float(number)) for name, number in value.items() if is_number(number))


def is_number(value: Any) -> bool:
    """Return whether a value of a JSON file is a number that a tracker can take."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _files(run: RunFiles, manifest: Mapping[str, Any], is_over: bool, with_checkpoint: bool) -> Iterator[RecordFile]:
    yield from existing(run.path, [run.experiment, run.diff])
    if packages := (manifest.get("provenance") or {}).get("packages"):
        text = without_credentials("\n".join(packages) + "\n")
        yield RecordFile("requirements.txt", f"{len(packages)} packages, {len(text)} characters", text=text)
    if is_over:
        tables = [run.manifest, run.metrics, run.history, run.confusion, run.report]
        yield from existing(run.path, [*tables, *sorted(run.plots.glob("*.png"))])
    if with_checkpoint:
        yield from existing(run.path, sorted(run.checkpoint.rglob("*")))


def existing(place: Path, paths: list[Path]) -> Iterator[RecordFile]:
    """Yield those of the files that exist; of a file that changes, the stamp is another one."""
    for path in paths:
        with suppress(OSError):
            if path.is_file() and not path.name.startswith("."):
                found = path.stat()
                name = path.relative_to(place).as_posix()
                yield RecordFile(name, f"{found.st_size} {found.st_mtime_ns}", path)
