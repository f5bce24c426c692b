"""What a tracker must be able to do: begin or continue a run, and take parameters, metrics, tags and files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol


class TrackerDown(Exception):
    """A tracker does not answer: nothing can be sent to it now, of this run or any other."""


@dataclass(frozen=True)
class Point:
    """Metrics at one step of a curve.

    Attributes:
        step: the epoch, from 1; of a search, the number of the trial.
        time: when it was measured, in seconds since 1970. It is the same whenever the point is sent, so that a point sent twice
            is one point.
        values: by name.
    """

    step: int
    time: float
    values: Mapping[str, float]


@dataclass(frozen=True)
class RecordFile:
    """A file for a tracker.

    Attributes:
        name: its path in the tracker, with `/`.
        stamp: another one when the content has changed.
        path: of the file; None if `text` is its content.
        text: the content.
    """

    name: str
    stamp: str
    path: Path | None = None
    text: str = ""


@dataclass(frozen=True)
class RunRecord:
    """What there is to send of a directory at one moment.

    Attributes:
        place: the directory.
        kind: run, trial, study or search.
        name: of the run in the tracker.
        experiment: name of the experiment, the study or the search.
        group: name of the run of the study or the search that it belongs to, or None.
        status: running, finished, failed, interrupted, killed or unfinished.
        started, ended: in seconds since 1970; `ended` is None while it runs.
        parameters: dotted keys of the experiment, and their plain values.
        tags: identity, code, data, versions.
        note: a text in Markdown; empty for none.
        points: the curves, in the order of their steps.
        summary: metrics of the end.
        files: small ones first.
    """

    place: Path
    kind: str
    name: str
    experiment: str
    group: str | None
    status: str
    started: float
    ended: float | None
    parameters: Mapping[str, Any]
    tags: Mapping[str, str]
    note: str
    points: Sequence[Point]
    summary: Mapping[str, float]
    files: Sequence[RecordFile]


class TrackerRun(Protocol):
    """A run in a tracker. Every method may raise TrackerDown, or any other error if the tracker refuses."""

    id: str
    # Where to look at it: an address, or a folder.
    link: str
    # Whether all that was sent has arrived for certain; of a tracker that takes it into a queue, only after `close`.
    is_confirmed: bool

    def send_parameters(self, parameters: Mapping[str, Any]) -> None: ...

    def send_tags(self, tags: Mapping[str, str], note: str) -> None: ...

    def send_points(self, points: Sequence[Point]) -> None: ...

    def send_summary(self, end: Point) -> None:
        """Send the metrics of the end."""

    def send_file(self, file: RecordFile) -> None: ...

    def set_status(self, status: str, ended: float | None) -> None:
        """Say that it runs, or how it has ended."""

    def close(self) -> None:
        """End the connection; nothing more is sent."""


class Tracker(Protocol):
    """A tracker at one place."""

    # The address without credentials, or the folder: who resumes a run elsewhere begins a new one there.
    where: str

    def open(self, record: RunRecord, id: str | None, parent: str | None) -> TrackerRun:
        """Begin a run, or continue the one with this id; `parent` is the id of the study or the search that it belongs to.

        Raises:
            TrackerDown: it does not answer.
        """


class MakeTracker(Protocol):
    def __call__(self, name: str, settings: Any, where: str | None, place: Path) -> Tracker:
        """Return a tracker by its name.

        Args:
            name: mlflow or wandb.
            settings: its section.
            where: where the run was sent before, or what it is nested in; None if neither was sent.
            place: the directory of the run.
        """


def make_tracker(name: str, settings: Any, where: str | None, place: Path) -> Tracker:
    """See `MakeTracker`; the tracker's package is imported here."""
    if name == "mlflow":
        from kerasexp.tracking.mlflow_tracker import MlflowTracker

        return MlflowTracker(settings, where)
    from kerasexp.tracking.wandb_tracker import WandbTracker

    return WandbTracker(settings, place)
