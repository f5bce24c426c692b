"""Keys and values of experiments as short texts, for tables and lines."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any


def short_names(names: Iterable[str]) -> dict[str, str]:
    """Return for each dotted key as few of its last parts as identify it among the others."""
    names, found = list(names), {}
    for name in names:
        parts = name.split(".")
        for count in range(1, len(parts) + 1):
            end = ".".join(parts[-count:])
            if sum(other == end or other.endswith(f".{end}") for other in names) == 1 and not parts[-count].isdecimal():
                break
        found[name] = end
    return found


def value_text(value: Any) -> str:
    """Return a short text for a value."""
    if isinstance(value, bool) or value is None or isinstance(value, list | dict):
        return json.dumps(value)
    return f"{value:.4g}" if isinstance(value, float) else str(value)
