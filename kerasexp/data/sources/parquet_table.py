"""Parquet files as tables of text, and the images that a column may hold, as datasets on Hugging Face have them."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from kerasexp.data.image_zip_checks import bomb_fault
from kerasexp.data.label_sets import SEPARATOR
from kerasexp.environment import install_command
from kerasexp.errors import Problem, UserError

# Row -> content of its image; None if it has none.
Contents = Callable[[int], bytes | None]
# Rows that are read at a time.
ROWS = 1000


class ParquetTable(NamedTuple):
    """A Parquet file.

    Attributes:
        header: names of the columns.
        rows: their values as text; a missing value is empty, and so is what has no text. An image has a name of its own.
        contents: position of a column that holds images -> what it holds.
    """

    header: list[str]
    rows: list[list[str]]
    contents: dict[int, Contents]


def read_parquet(path: Path, most: int | None = None) -> ParquetTable:
    """Read a Parquet file; what its images hold is taken from memory, and decoded when it is read.

    Args:
        path: the file.
        most: number of rows to read; None for all.

    Raises:
        UserError: pyarrow is not installed, or the file cannot be read or unpacks to implausibly much.
    """
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        message = f"Parquet needs pyarrow: {install_command('parquet')}; or save the table as CSV"
        raise UserError(Problem(message, str(path))) from None
    try:
        table = _table(path, most)
    except (OSError, pyarrow.ArrowException) as error:
        raise UserError(Problem(f"cannot be read as Parquet: {error}", str(path))) from None
    columns, contents = [], {}
    for position, column in enumerate(table.columns):
        data, names = _images(column)
        if data is not None:
            contents[position] = lambda row, data=data: data[row].as_py()
            columns.append(names)
        elif _is_list(column.type) and _are_labels(column.type.value_type):
            columns.append(["" if value is None else _labels(value) for value in column.to_pylist()])
        elif pyarrow.types.is_nested(column.type):
            columns.append([""] * len(column))
        else:
            columns.append(["" if value is None else str(value).strip() for value in column.to_pylist()])
    return ParquetTable(table.column_names, [list(row) for row in zip(*columns, strict=True)], contents)


def _table(path: Path, most: int | None) -> Any:
    """Return the rows, or the first ones without the rest of the file in memory.

    What a file declares need not be true, and a value that is stored once may be that of all rows: they are read in parts.
    """
    import pyarrow
    import pyarrow.parquet

    size, is_start, batches, unpacked = path.stat().st_size, most is not None, [], 0
    with pyarrow.parquet.ParquetFile(path, memory_map=is_start, pre_buffer=False) as file:
        groups = map(file.metadata.row_group, range(file.metadata.num_row_groups))
        _refuse_bomb(path, size, sum(group.total_byte_size for group in groups))
        for batch in islice(file.iter_batches(batch_size=most or ROWS), 1 if is_start else None):
            batches.append(batch)
            unpacked += batch.nbytes
            _refuse_bomb(path, size, unpacked)
        return pyarrow.Table.from_batches(batches, schema=file.schema_arrow)


def _refuse_bomb(path: Path, size: int, unpacked: int) -> None:
    """Raise UserError if a file of `size` bytes would take implausibly many in memory."""
    if fault := bomb_fault(size, unpacked):
        raise UserError(Problem(fault, str(path)))


def _is_list(kind: Any) -> bool:
    import pyarrow

    kinds = (pyarrow.types.is_list, pyarrow.types.is_large_list, pyarrow.types.is_fixed_size_list)
    return any(is_kind(kind) for is_kind in kinds)


def _are_labels(kind: Any) -> bool:
    import pyarrow

    return pyarrow.types.is_integer(kind) or pyarrow.types.is_string(kind) or pyarrow.types.is_large_string(kind)


def _labels(stored: list) -> str:
    """Return the labels of an image as one text, which is not empty without any: the value is not missing."""
    return SEPARATOR.join(map(str, stored)) or SEPARATOR


def _images(column: Any) -> tuple[Any, list[str]]:
    """Return the bytes of a column and a name for each; None if it holds none.

    Names are the paths beside the bytes, if no two are equal, or the numbers of the rows from 0.
    """
    import pyarrow
    import pyarrow.compute

    kind, names = column.type, []
    if pyarrow.types.is_struct(kind) and kind.get_field_index("bytes") >= 0:
        if kind.get_field_index("path") >= 0:
            names = pyarrow.compute.struct_field(column, "path").to_pylist()
        column = pyarrow.compute.struct_field(column, "bytes")
    if not (pyarrow.types.is_binary(column.type) or pyarrow.types.is_large_binary(column.type)):
        return None, []
    if not all(names) or len(set(names)) < len(column):
        names = [f"{row:07d}" for row in range(len(column))]
    return column, names
