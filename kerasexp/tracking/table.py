"""What `track status` prints: how far each run has been sent."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from kerasexp.browser.run_query import Answer, Row
from kerasexp.browser.table import runs_text
from kerasexp.tracking.delivery_state import Delivered, read_delivered
from kerasexp.tracking.delivery_steps import missing_parts
from kerasexp.tracking.run_record import read_record
from kerasexp.tracking.sync import delivery_of, require_folder

COLUMNS = ["path", "tracker", "where", "epochs", "files", "missing", "problem"]
# Addresses are too long for a table.
MORE = ["link", "id"]


def status_text(folder: Path, format: str) -> str:
    """Return what trackers have of everything below a folder; `format` is table, csv or json.

    Raises:
        UserError: there is no such folder.
    """
    require_folder(folder)
    rows = list(_rows(folder))
    if format == "table" and not rows:
        return f"{folder}: no run has a tracker; see the key `track`"
    return runs_text(Answer(COLUMNS if format == "table" else [*COLUMNS, *MORE], rows), format)


def _rows(folder: Path) -> Iterator[Row]:
    delivery = delivery_of(folder)
    for parcel in delivery.parcels():
        entry = read_delivered(delivery.root / parcel.found.path).get(parcel.tracker, Delivered())
        record = read_record(delivery.root, parcel.found, parcel.settings.with_checkpoint)
        # What has not been confirmed may be lost, once the process that sent it has ended.
        sure = entry if entry.is_confirmed or record.status == "running" else entry.begun()
        yield {
            "path": parcel.found.path,
            "tracker": parcel.tracker,
            "where": entry.where or None,
            "epochs": sure.points,
            "files": len(sure.files),
            "missing": "everything" if entry.id is None else missing_parts(record, sure) or None,
            "problem": entry.problem,
            "link": entry.link or None,
            "id": entry.id,
        }
