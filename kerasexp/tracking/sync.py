"""What `track sync` does: everything that is missing below a folder is sent at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kerasexp.browser.run_folders import SUMMARIES, find_folders
from kerasexp.config.track_section import TENSORBOARD, TRACK, Track, read_track
from kerasexp.environment import install_command, missing_of
from kerasexp.errors import Problem, UserError, closest
from kerasexp.tracking.delivery import Attempt, Delivery

# A run is so many levels below the study or the search that it belongs to, at most.
MOST_LEVELS = 5


@dataclass(frozen=True)
class Synced:
    """What was sent, one line for each directory and tracker, and whether nothing is missing."""

    lines: list[str]
    is_complete: bool


def sync_folder(folder: Path, to: Sequence[str]) -> Synced:
    """Send what is missing of everything below a folder.

    Args:
        folder: a run, a study, a search, or a folder of them.
        to: trackers of what names none itself.

    Raises:
        UserError: there is no such folder or tracker, or its package is not installed.
    """
    extra = _extra(to)
    require_folder(folder)
    delivery = delivery_of(folder, extra, waits=True)
    attempts = delivery.round(is_last=True)
    delivery.close()
    if not attempts:
        hint = "its runs have no key `track`; --to mlflow sends them all the same"
        return Synced([f"{folder}: nothing to send: {hint}"], True)
    lines = [_line(delivery.root / attempt.path, attempt) for attempt in attempts]
    failed = [attempt for attempt in attempts if attempt.delivered.problem is not None]
    return Synced(lines, not failed)


def require_folder(folder: Path) -> None:
    """Raise UserError if there is no such folder."""
    if not folder.is_dir():
        raise UserError(Problem("no such folder", str(folder)))


def delivery_of(folder: Path, extra: Track | None = None, waits: bool = False) -> Delivery:
    """Return the delivery of a folder; a run of a study is sent as a part of that. Arguments as of `Delivery`."""
    place = folder.resolve()
    above = [
        parent
        for parent in list(place.parents)[:MOST_LEVELS]
        if any((parent / file).is_file() for file in SUMMARIES.values())
        and any(parent / found.path == place for found in find_folders(parent))
    ]
    return Delivery(above[-1], place, extra, waits) if above else Delivery(place, None, extra, waits)


def _extra(to: Sequence[str]) -> Track:
    allowed = [name for name in Track.model_fields if name != TENSORBOARD]
    for name in to:
        if name not in allowed:
            raise UserError(Problem(f"got {name!r}{closest(name, allowed)}; allowed: {', '.join(allowed)}", key="--to"))
        if missing := missing_of(name):
            raise UserError(Problem(f"{name} needs {', '.join(missing)}: {install_command(name)}", key="--to"))
    return read_track({TRACK: list(to)} if to else {})


def _line(place: Path, attempt: Attempt) -> str:
    delivered = attempt.delivered
    head = f"{_shown(place)}: {attempt.tracker}"
    if delivered.problem is not None:
        return f"{head}: {delivered.problem}; missing: {delivered.missing}"
    done = f"{attempt.sent} parts sent" if attempt.sent else "has everything"
    return f"{head}: {done}, {delivered.link}"


def _shown(place: Path) -> str:
    here = Path.cwd()
    return str(place.relative_to(here)) if place.is_relative_to(here) else str(place)
