"""Values in JSON files that may be damaged or a stranger's: of the kind that is asked for, or nothing."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any


def mapping_of(value: Any) -> dict[str, Any]:
    """Return a mapping; an empty one for anything else."""
    return value if isinstance(value, dict) else {}


def mappings_of(value: Any) -> list[dict[str, Any]]:
    """Return the mappings in a list; none for anything else."""
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def text_of(value: Any, absent: str = "") -> str:
    """Return a value as a text that UTF-8 can hold, with `?` for what it cannot; `absent` for none."""
    return (absent if value is None else str(value)).encode("utf-8", "replace").decode()


def number_of(value: Any) -> float | None:
    """Return a finite number as a float; None for anything else, and for a whole number that no float can hold."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:
        return None


def folder_below(place: Path, name: Any) -> Path | None:
    """Return the folder of a name in a directory; None if the name is no text, or leads out of the directory, also by a link."""
    try:
        folder = place / name
        is_below = folder.resolve().is_relative_to(place.resolve()) and ".." not in Path(name).parts
    except (OSError, ValueError, TypeError, RuntimeError):
        return None
    return folder if is_below else None
