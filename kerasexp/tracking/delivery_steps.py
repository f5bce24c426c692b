"""The steps of a delivery: what a tracker does not have of a run yet, and how each part is sent and noted."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from kerasexp.tracking.delivery_state import Delivered
from kerasexp.tracking.tracker import Point, RecordFile, RunRecord, TrackerRun

FILE = "file"


@dataclass(frozen=True)
class DeliveryStep:
    """One part to send: in words, and the function that sends it and notes that it was sent."""

    what: str
    send: Callable[[TrackerRun], None]


def delivery_steps(record: RunRecord, entry: Delivered) -> Iterator[DeliveryStep]:
    """Yield what a tracker does not have yet, the files last."""
    if (digest := _digest(dict(record.parameters))) != entry.parameters:
        yield _step("parameters", lambda run: run.send_parameters(record.parameters), entry, parameters=digest)
    if (digest := _digest([dict(record.tags), record.note])) != entry.tags:
        yield _step("tags", lambda run: run.send_tags(record.tags, record.note), entry, tags=digest)
    is_over = record.status != "running"
    # A run that is resumed runs again before the first of its metrics comes.
    if not is_over and entry.status != "running":
        yield _step("status", lambda run: run.set_status("running", None), entry, status="running")
    sent = entry.points
    if entry.last_point not in ("", _last(record.points[:sent])):
        sent -= 1  # an epoch that `max_minutes` had stopped was trained anew
    if new := record.points[sent:]:
        what = f"{len(new)} {'trials' if record.kind == 'search' else 'epochs'}"
        noted = {"points": len(record.points), "last_point": _last(record.points)}
        yield _step(what, lambda run: run.send_points(new), entry, **noted)
    if record.summary and (digest := _digest(dict(record.summary))) != entry.summary:
        last = record.points[-1].step if record.points else 0
        end = Point(last, record.ended or record.started, record.summary)
        yield _step("metrics", lambda run: run.send_summary(end), entry, summary=digest)
    for file in record.files:
        if entry.files.get(file.name) != file.stamp:
            yield _file_step(file, entry)
    ended = record.status if record.ended is None else f"{record.status} {record.ended:.0f}"
    if is_over and ended != entry.status:
        yield _step("status", lambda run: run.set_status(record.status, record.ended), entry, status=ended)


def missing_parts(record: RunRecord, entry: Delivered) -> str:
    """Return in words what a tracker does not have; empty for nothing."""
    counts = Counter(step.what for step in delivery_steps(record, entry))
    return ", ".join(f"{count} {what}s" if what == FILE and count > 1 else what for what, count in counts.items())


def _step(what: str, send: Callable[[TrackerRun], None], entry: Delivered, **noted: Any) -> DeliveryStep:
    def send_and_note(run: TrackerRun) -> None:
        send(run)
        for key, value in noted.items():
            setattr(entry, key, value)

    return DeliveryStep(what, send_and_note)


def _file_step(file: RecordFile, entry: Delivered) -> DeliveryStep:
    def send_and_note(run: TrackerRun) -> None:
        run.send_file(file)
        entry.files[file.name] = file.stamp

    return DeliveryStep(FILE, send_and_note)


def _last(points: Sequence[Point]) -> str:
    return _digest([points[-1].step, dict(points[-1].values)]) if points else ""


def _digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()
