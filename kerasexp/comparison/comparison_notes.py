"""Notes on the runs of a comparison or a study."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Note:
    """What a reader has to know: a warning stands at the top of a page, a remark in its text."""

    kind: Literal["warning", "remark"]
    text: str
