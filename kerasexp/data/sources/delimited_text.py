"""Delimited text (CSV, TSV and their relatives): its encoding, its separator, and its rows with the numbers of their lines."""

from __future__ import annotations

import codecs
import csv
from collections.abc import Callable, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from kerasexp.errors import Problem, UserError

# In the order in which equally good ones are taken: where numbers have decimal commas, the comma is no separator.
SEPARATORS = {";": "semicolon", "\t": "tab", ",": "comma", "|": "vertical bar"}
# Lines in which the separator is looked for.
SAMPLE = 20

Rows = list[list[str]]


def read_rows(
    path: Path, quality: Callable[[Rows], Any], separators: Mapping[str, str] = SEPARATORS, most: int | None = None
) -> tuple[list[int], Rows]:
    """Read a text file whose separator is the one that gives the best first rows; blank lines do not count.

    Args:
        path: the file, in UTF-8, or in UTF-16 with a byte order mark as spreadsheets write it.
        quality: of the first rows; the highest wins, of equal ones the first separator.
        separators: the separators to try; a comma if no row has any.
        most: number of rows to read; None for all.

    Returns:
        The number of the line in which each row ends, and the rows.

    Raises:
        UserError: the file cannot be read.
    """
    try:
        encoding = _encoding(path)
        with path.open(newline="", encoding=encoding) as file:
            sample = list(islice((line for line in file if line.strip()), SAMPLE))
        parsed = {mark: list(csv.reader(sample, delimiter=mark, skipinitialspace=True)) for mark in separators}
        if any(len(row) > 1 for rows in parsed.values() for row in rows):
            separator = max(parsed, key=lambda mark: quality(parsed[mark]))
        else:
            separator = ","
        with path.open(newline="", encoding=encoding) as file:
            reader = csv.reader(file, delimiter=separator, skipinitialspace=True)
            filled = ((reader.line_num, row) for row in reader if any(map(str.strip, row)))
            numbered = list(islice(filled, most))
    except (OSError, UnicodeError, csv.Error) as error:
        raise UserError(Problem(f"cannot be read as CSV: {error}", str(path))) from None
    return [line for line, _ in numbered], [row for _, row in numbered]


def _encoding(path: Path) -> str:
    with path.open("rb") as file:
        start = file.read(2)
    return "utf-16" if start in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) else "utf-8-sig"
