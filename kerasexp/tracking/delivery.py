"""Send what trackers do not have yet. What was sent is written down at once, so any attempt may fail or be killed."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from kerasexp.browser.run_folders import FoundFolder, find_folders
from kerasexp.config.track_section import Mlflow, Track, Wandb
from kerasexp.errors import without_credentials
from kerasexp.saving.saved_files import RunFiles
from kerasexp.storage import exclusive_lock
from kerasexp.tracking.delivery_state import Delivered, read_delivered, write_delivered
from kerasexp.tracking.delivery_steps import delivery_steps, missing_parts
from kerasexp.tracking.run_record import read_record, read_trackers
from kerasexp.tracking.tracker import MakeTracker, RunRecord, Tracker, TrackerDown, TrackerRun, make_tracker

# Seconds until a tracker that did not answer is tried again: at first, and at most.
FIRST_PAUSE, LONGEST_PAUSE = 5.0, 60.0
# Of the reason why a tracker refuses.
LONGEST_REASON = 300


@dataclass(frozen=True)
class Parcel:
    """A directory for a tracker.

    Attributes:
        found: the directory.
        tracker: its name.
        settings: its section.
        is_nested: whether the study or the search that the directory belongs to is sent there as well.
    """

    found: FoundFolder
    tracker: str
    settings: Mlflow | Wandb
    is_nested: bool

    @property
    def key(self) -> tuple[str, str]:
        return self.found.path, self.tracker


@dataclass(frozen=True)
class Attempt:
    """What was sent of one directory to one tracker.

    Attributes:
        path: of the directory, relative to the folder.
        tracker: its name.
        delivered: how far it is now.
        is_down: whether the tracker did not answer.
        sent: how many epochs, files and other parts were sent now.
    """

    path: str
    tracker: str
    delivered: Delivered
    is_down: bool = False
    sent: int = 0


class Delivery:
    """Sends the runs, studies and searches of a folder to their trackers, in rounds.

    Args:
        root: the folder; of a run of a study or a search, the folder of that.
        only: what to send below it; what it belongs to is sent too. None for all.
        extra: trackers of what names none itself.
        waits: whether to wait for another process that sends a directory; else that is left to it.
        make: makes a tracker.
    """

    def __init__(
        self,
        root: Path,
        only: Path | None = None,
        extra: Track | None = None,
        waits: bool = False,
        make: MakeTracker = make_tracker,
    ):
        self.root = root
        self._only, self._extra, self._waits, self._make = only, extra or Track(), waits, make
        self._open: dict[tuple[str, str], TrackerRun] = {}
        self._seen: dict[tuple[str, str], str] = {}
        # By tracker and its settings: when it is tried again, and the pause before.
        self._down: dict[tuple[str, Mlflow | Wandb], tuple[float, float]] = {}

    def parcels(self) -> Iterator[Parcel]:
        """Yield what is for trackers, a study or a search before its runs."""
        tracks: dict[str, Track] = {}
        for found in find_folders(self.root):
            above = Track() if found.parent is None else tracks[found.parent]
            # The runs of a study go where the study goes, also those that are from before it had a tracker.
            own = above if above.remote else read_trackers(self.root / found.path, found.kind)
            tracks[found.path] = own if own.remote else self._extra
            if self._is_wanted(self.root / found.path):
                for tracker, settings in tracks[found.path].remote.items():
                    yield Parcel(found, tracker, settings, tracker in above.remote)

    def round(self, is_last: bool = False) -> list[Attempt]:
        """Send what is new, and return what was tried.

        Args:
            is_last: whether everything is looked at and tried, changed or not.
        """
        if is_last:
            self._down.clear()
        tried, failed = [], set()
        for parcel in self.parcels():
            place = parcel.tracker, parcel.settings
            if place in failed or time.monotonic() < self._down.get(place, (0.0, 0.0))[0]:
                continue
            if not is_last and self._seen.get(parcel.key) == parcel.found.fingerprint:
                continue
            if (attempt := self._attempt(parcel)) is None:  # another process sends it
                continue
            tried.append(attempt)
            if attempt.is_down:
                failed.add(place)
                pause = min(2 * self._down.get(place, (0.0, FIRST_PAUSE / 2))[1], LONGEST_PAUSE)
                self._down[place] = time.monotonic() + pause, pause
            else:  # one that is refused is tried again when it has changed
                self._down.pop(place, None)
                self._seen[parcel.key] = parcel.found.fingerprint
        return tried

    def close(self) -> None:
        """End the connections."""
        for key in list(self._open):
            self._close(key)

    def _close(self, key: tuple[str, str]) -> bool:
        """End a connection, if there is one; return whether all that was sent over it has arrived for certain."""
        if (run := self._open.pop(key, None)) is None:
            return True
        with suppress(Exception):  # what has not arrived is sent again
            run.close()
        return run.is_confirmed

    def _is_wanted(self, place: Path) -> bool:
        return self._only is None or place.is_relative_to(self._only) or self._only.is_relative_to(place)

    def _attempt(self, parcel: Parcel) -> Attempt | None:
        """Send what is new of a directory to a tracker; None if another process is doing so."""
        place, name = self.root / parcel.found.path, parcel.tracker
        entry = Delivered()
        try:
            with exclusive_lock(RunFiles(place).tracking_lock, _wait if self._waits else None):
                entries = self._noted(parcel)
                record = read_record(self.root, parcel.found, parcel.settings.with_checkpoint)
                before, error = entries[name].count, None
                try:
                    self._send(parcel, record, entries)
                except Exception as raised:  # whatever the package of a tracker raises concerns this directory alone
                    error = raised
                entry = entries[name]
                if error is not None or record.status != "running":
                    entry.is_confirmed = self._close(parcel.key)
                entry.problem = None if error is None else reason_of(error)
                entry.missing = missing_parts(record, entry)
                write_delivered(place, entries)
        except BlockingIOError:
            return None
        except Exception as error:  # the disk is full, the directory is gone, or its files are damaged
            entry.problem, entry.missing = reason_of(error), entry.missing or "not known"
            return Attempt(*parcel.key, entry)
        return Attempt(*parcel.key, entry, isinstance(error, TrackerDown), max(entry.count - before, 0))

    def _noted(self, parcel: Parcel) -> dict[str, Delivered]:
        """Return how far a directory has been sent, by tracker, without what may be lost with the process that sent it."""
        entries = read_delivered(self.root / parcel.found.path)
        entry = entries.setdefault(parcel.tracker, Delivered())
        if not entry.is_confirmed and parcel.key not in self._open:
            entries[parcel.tracker] = entry.begun()
        return entries

    def _send(self, parcel: Parcel, record: RunRecord, entries: dict[str, Delivered]) -> None:
        """Take the steps; note each in `entries`, also on the disk.

        Raises:
            TrackerDown: the tracker does not answer.
            Exception: it refuses.
        """
        name, place = parcel.tracker, record.place
        above = self._above(parcel)
        tracker = self._make(name, parcel.settings, entries[name].where or above.where or None, place)
        entry = entries[name] = _continued(entries[name], tracker.where, above.id)
        for step in delivery_steps(record, entry):
            run = self._opened(parcel, tracker, record, entries)
            step.send(run)
            entry.is_confirmed = run.is_confirmed
            write_delivered(place, entries)

    def _opened(self, parcel: Parcel, tracker: Tracker, record: RunRecord, entries: dict[str, Delivered]) -> TrackerRun:
        entry = entries[parcel.tracker]
        if parcel.key not in self._open:
            run = self._open[parcel.key] = tracker.open(record, entry.id, entry.parent)
            entry.id, entry.link = run.id, run.link
            # Before anything else is sent: after a kill, the next process would open another run.
            write_delivered(record.place, entries)
        return self._open[parcel.key]

    def _above(self, parcel: Parcel) -> Delivered:
        """Return how far that has been sent which a directory is nested in; nothing of it if that is nothing."""
        if not parcel.is_nested:
            return Delivered()
        above = read_delivered(self.root / parcel.found.parent).get(parcel.tracker, Delivered())
        if above.id is None:
            raise ValueError(f"{parcel.found.parent}, which it belongs to, is not there yet")
        return above


def _wait() -> None:
    """The other process says what it does, or is at its end."""


def _continued(entry: Delivered, where: str, parent: str | None) -> Delivered:
    """Return how far a tracker is; one at another place, or that has the run in another study, has nothing of it."""
    is_same = entry.where == where and (entry.id is None or entry.parent == parent)
    return entry if is_same else Delivered(where=where, parent=parent)


def reason_of(error: Exception) -> str:
    """Return why a tracker failed, on one line and without credentials."""
    text = " ".join(without_credentials(str(error)).split())
    return (text or type(error).__name__)[:LONGEST_REASON]
