"""The variants of a grid: every combination of the values of several keys."""

from __future__ import annotations

from collections import Counter
from itertools import product
from typing import Any

from kerasexp.config.section_validation import quoted
from kerasexp.errors import Problem, UserError


def variants_of_grid(grid: dict[str, Any], file: str) -> dict[str, dict[str, Any]]:
    """Return the changes of each combination of the values of a grid, by a name that is made of them.

    Raises:
        UserError: a key has no list of values, or a combination is given twice.
    """
    for key, values in grid.items():
        if not isinstance(values, list) or not values:
            raise UserError(Problem(f"got {quoted(values)}; a list of values is needed", file, f"variants.grid.{key}"))
    # The last part of a key is enough if no other key ends in it.
    ends = Counter(key.rpartition(".")[2] for key in grid)
    names = {key: end if ends[end := key.rpartition(".")[2]] == 1 else key for key in grid}
    combinations = [dict(zip(grid, values, strict=True)) for values in product(*grid.values())]

    def labels(with_keys: bool) -> list[str]:
        return [
            ", ".join(f"{names[key]}={_short(value, with_keys)}" for key, value in combination.items())
            for combination in combinations
        ]

    found = labels(False)
    if len(set(found)) < len(found):  # mappings of other keys with the same values
        found = labels(True)
    if twice := [name for name, count in Counter(found).items() if count > 1]:
        raise UserError(Problem(f"has the combination {quoted(twice[0])} twice", file, "variants.grid"))
    return dict(zip(found, combinations, strict=True))


def _short(value: Any, with_keys: bool) -> str:
    if isinstance(value, dict):
        parts = ((f"{key} " if with_keys else "") + _short(v, with_keys) for key, v in value.items())
        return " ".join(parts)
    return str(value).lower() if isinstance(value, bool) or value is None else str(value)
