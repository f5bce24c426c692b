"""Checks and conversion of pixels and labels given as plain values; an error names the place of the value."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np

from kerasexp.errors import Problem, UserError

NUMBER = re.compile(r"[+-]?\d+(\.\d+)?")


def as_uint8(values: np.ndarray, file: str, place: Callable[[int], str]) -> np.ndarray:
    """Convert pixels in 0..255, or floats in 0..1, to uint8.

    Args:
        values: [n, ...], one image per row.
        file: where the values come from, for error messages.
        place: returns the place of an image in the file, such as `line 7`.

    Raises:
        UserError: a value is not a number, NaN or out of range.
    """
    if values.dtype == np.uint8:
        return values
    if values.dtype.kind not in "iuf":
        raise UserError(Problem(f"has pixels of type {values.dtype}; numbers are needed, best uint8", file))
    low, high = values.min(), values.max()
    if not (low >= 0 and high <= 255):  # also true for NaN
        at = int(np.argmin((values >= 0) & (values <= 255)))
        where, value = place(at // (values.size // len(values))), values.flat[at]
        raise UserError(Problem(f"{where} has the pixel {value:g}; pixels are 0 to 255, or 0.0 to 1.0", file))
    unit = np.issubdtype(values.dtype, np.floating) and high <= 1
    return np.rint(values * 255 if unit else values).astype(np.uint8)


def as_labels(labels: np.ndarray, file: str, place: Callable[[int], str]) -> np.ndarray:
    """Return labels as text: words unchanged, integers without the `.0` that a table with missing values adds.

    Args:
        labels: [n], of any type.
        file, place: as for `as_uint8`.

    Raises:
        UserError: a label is missing (empty or NaN), a fraction, negative, or neither a word nor a number.
    """
    if labels.dtype.kind not in "biufSU":
        raise UserError(Problem(f"has labels of type {labels.dtype}; labels are words or integers from 0", file))
    stored, first, which = np.unique(labels, return_index=True, return_inverse=True)
    names = []
    for value, position in zip(stored.tolist(), first, strict=True):
        text = value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else str(value)
        if text.strip().lower() in ("", "nan"):
            raise UserError(Problem(f"{place(int(position))} has no label", file))
        number = float(value) if isinstance(value, float) or NUMBER.fullmatch(text) else None
        if number is not None and (number < 0 or not number.is_integer()):
            where = place(int(position))
            raise UserError(Problem(f"{where} has the label {text}; labels are words or integers from 0", file))
        names.append(text if number is None or text.isdecimal() else str(int(number)))
    return np.array(names)[which]
