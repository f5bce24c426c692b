"""Checks and conversion of labels given as plain values; an error names the place of the value."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np

from kerasexp.errors import Problem, UserError

NUMBER = re.compile(r"[+-]?\d+(\.\d+)?")
# What tables have for a missing value.
MISSING = ("", "nan")
NO_REGRESSION = "kerasexp classifies images; it does no regression"


def stored_value(cell: str) -> str | None:
    """Return what a cell of a table holds, a label or a group, as stored; None for a missing value."""
    return None if cell.lower() in MISSING else cell


def as_labels(labels: np.ndarray, file: str, place: Callable[[int], str]) -> np.ndarray:
    """Return labels as text: words unchanged, integers without the `.0` that a table with missing values adds.

    Args:
        labels: [n], of any type.
        file: where they come from, for error messages.
        place: returns the place of a label in the file, such as `line 7`.

    Raises:
        UserError: a label is missing (empty or NaN), a fraction, negative, or neither a word nor a number.
    """
    if labels.dtype.kind not in "biufSU":
        raise UserError(Problem(f"has labels of type {labels.dtype}; labels are words or integers from 0", file))
    stored, first, which = np.unique(labels, return_index=True, return_inverse=True)
    names = []
    for value, position in zip(stored.tolist(), first, strict=True):
        text = value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else str(value)
        if text.strip().lower() in MISSING:
            raise UserError(Problem(f"{place(int(position))} has no label", file))
        number = float(value) if isinstance(value, float) or NUMBER.fullmatch(text) else None
        if number is not None and (number < 0 or not number.is_integer()):
            message = f"{place(int(position))} has the label {text}; labels are words or integers from 0"
            raise UserError(Problem(message if number < 0 else f"{message}. {NO_REGRESSION}", file))
        names.append(text if number is None or text.isdecimal() else str(int(number)))
    return np.array(names)[which]
