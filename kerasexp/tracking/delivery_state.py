"""How far a run, a study or a search has been sent: `tracking.json` of its directory."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from kerasexp.saving.saved_files import RunFiles
from kerasexp.storage import write_json


@dataclass
class Delivered:
    """What one tracker has of a directory.

    Attributes:
        where: address or folder of the tracker, without credentials.
        id: of the run there; None before the first answer.
        link: where to look at it.
        parent: id of the study or the search there.
        parameters, tags, summary: digests of what was sent; empty for nothing.
        points: how many points of the curves.
        last_point: digest of the last one of them; empty for none.
        files: by name, the stamp of what was sent.
        status: that was sent last.
        problem: why something is missing, if the last attempt failed.
        missing: in words, what was missing after the last attempt; empty for nothing.
        is_confirmed: whether all that was sent has arrived for certain.
    """

    where: str = ""
    id: str | None = None
    link: str = ""
    parent: str | None = None
    parameters: str = ""
    tags: str = ""
    summary: str = ""
    points: int = 0
    last_point: str = ""
    files: dict[str, str] = field(default_factory=dict)
    status: str = ""
    problem: str | None = None
    missing: str = ""
    is_confirmed: bool = True

    @property
    def count(self) -> int:
        """The number of parts that were sent: points, files and the rest."""
        return self.points + len(self.files) + sum(map(bool, (self.parameters, self.tags, self.summary, self.status)))

    def begun(self) -> Delivered:
        """Return the run alone, with nothing sent of it."""
        return Delivered(self.where, self.id, self.link, self.parent)


def read_delivered(place: Path) -> dict[str, Delivered]:
    """Return, by tracker, how far a directory was sent; nothing if there is no such file, or a damaged one."""
    try:
        content = json.loads(RunFiles(place).tracking.read_text(encoding="utf-8"))
        return {str(name): _delivered(entry) for name, entry in content.items()}
    except (OSError, ValueError, AttributeError, TypeError):
        return {}


def _delivered(entry: Mapping[str, Any]) -> Delivered:
    return Delivered(**{key.name: entry[key.name] for key in fields(Delivered) if key.name in entry})


def write_delivered(place: Path, delivered: Mapping[str, Delivered]) -> None:
    """Write `tracking.json`; raise RunError if it cannot be written."""
    write_json(RunFiles(place).tracking, {name: asdict(entry) for name, entry in delivered.items()})
