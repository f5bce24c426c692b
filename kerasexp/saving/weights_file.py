"""The check of a file of weights: it may hold plain arrays only, and all of their bytes must be in it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import h5py

from kerasexp.saving.model_file_refusal import Refused, refusing

# EfficientNetV2-L has 3,395 groups and arrays.
MAX_OBJECTS = 20_000
# HDF5 has no bfloat16: NumPy reads it as two opaque bytes, and Keras stores the dtype in an attribute beside them.
KINDS, BFLOAT16, NOTE = "fiu", "|V2", "dtype"


def count_weights(path: Path) -> int:
    """Check a file of weights, and return how many numbers it holds.

    Raises:
        Refused: it is not an HDF5 file; or something in it is neither a group nor an array of numbers, is reached by a link
            or by two paths, lies in another file, is compressed, or is incomplete.
    """
    size = path.stat().st_size
    numbers = stored = 0
    with refusing(f"{path.name} is not an HDF5 file of weights"), h5py.File(path, "r") as file:
        for name, array in _arrays(file, path.name):
            if fault := _fault(array, size):
                raise Refused(f"{path.name}: {name!r:.150} {fault}")
            numbers += math.prod(array.shape)
            stored += array.nbytes
    if stored > size:
        raise Refused(f"{path.name}: its arrays have {stored:,} bytes, more than the {size:,} of the file")
    return numbers


def _arrays(file: h5py.File, called: str) -> Iterator[tuple[str, h5py.Dataset]]:
    """Yield every array with its path, without following links other than those of a group to its members."""
    seen, waiting = {_address(file)}, [("", file)]
    while waiting:
        path, group = waiting.pop()
        for name in group:
            inner = f"{path}/{name}"
            if type(group.get(name, getlink=True)) is not h5py.HardLink:
                raise Refused(f"{called}: {inner!r:.150} is a link to another place")
            part = group[name]
            if _address(part) in seen:
                raise Refused(f"{called}: {inner!r:.150} is reached by two paths")
            seen.add(_address(part))
            if len(seen) > MAX_OBJECTS:
                raise Refused(f"{called} holds more than {MAX_OBJECTS:,} groups and arrays")
            if isinstance(part, h5py.Group):
                waiting.append((inner, part))
            elif isinstance(part, h5py.Dataset):
                yield inner, part
            else:
                raise Refused(f"{called}: {inner!r:.150} is neither a group nor an array")


def _address(part: h5py.Group | h5py.Dataset) -> tuple[int, int]:
    info = h5py.h5o.get_info(part.id)
    return info.fileno, info.addr


def _fault(array: h5py.Dataset, size: int) -> str | None:
    plan, kind = array.id.get_create_plist(), array.dtype
    if plan.get_layout() != h5py.h5d.CONTIGUOUS or plan.get_nfilters() or plan.get_external_count():
        return "is compressed, chunked or in another file; Keras stores weights as one plain block"
    if array.shape is None or not (kind.kind in KINDS and kind.itemsize <= 8 or kind.str == BFLOAT16):
        return "is not an array of numbers"
    if any(key != NOTE or array.attrs.get_id(key).shape != () for key in array.attrs):
        return "has attributes that Keras does not write"
    start = array.id.get_offset()
    if start is None or start + array.nbytes > size:
        return f"declares {array.nbytes:,} bytes that are not in the file"
    return None
