"""Notes: what a reader has to know about the runs of a comparison or a study."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class NoteKind(StrEnum):
    """How a page shows a note: a warning comes first, a remark stands in the text."""

    WARNING = "warning"
    REMARK = "remark"


@dataclass(frozen=True)
class Note:
    """A sentence with its kind."""

    kind: NoteKind
    text: str


def warning(text: str) -> Note:
    """Return a note on something that may make the metrics misleading."""
    return Note(NoteKind.WARNING, text)


def remark(text: str) -> Note:
    """Return a note on how to read the metrics."""
    return Note(NoteKind.REMARK, text)
