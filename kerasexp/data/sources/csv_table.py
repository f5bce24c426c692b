"""A CSV file as a table: its separator, its header, and which of its columns holds the labels."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kerasexp.data.sources.delimited_text import SEPARATORS, Rows, read_rows
from kerasexp.errors import Problem, UserError, closest, listing

KEY = "data.label_column"
LABEL_NAMES = ("label", "labels", "class", "target", "y")
# A first line that counts 0, 1, 2, ... past this number is a header written by pandas, not an image.
MAX_COUNTING = 16
# Python refuses to convert more than 4,300 digits.
COUNTING = re.compile("[0-9]{1,9}")
DECIMAL_COMMA = re.compile(r"\s*[+-]?\d+,\d+\s*")
# Whole numbers are pixels, not classes, if more than MANY are different and the largest exceeds FAR.
MANY, FAR = 128, 200
# Classes are numbered without large gaps. Whole numbers with gaps are pixels if at least GAPS_MANY are different and the largest
# exceeds GAPS_FAR.
GAPS_MANY, GAPS_FAR = 16, 100


@dataclass(frozen=True)
class Table:
    """The lines of a CSV file.

    Attributes:
        file: its path, for error messages.
        header: names of the columns; None without a header.
        rows: values of each line, all of one length.
        lines: number of each line in the file.
        notes: what was left out.
    """

    file: str
    header: list[str] | None
    rows: list[list[str]]
    lines: list[int]
    notes: list[str]

    def place(self, position: int) -> str:
        """Return the place of a row in the file."""
        return f"line {self.lines[position]}"


def read_table(path: Path) -> Table:
    """Read a CSV file of numbers; blank lines and trailing separators are ignored.

    Raises:
        UserError: it cannot be read, has no line below the header, or a line has another length.
    """
    name = str(path)
    lines, rows = read_rows(path, _numbers)
    header = None
    if rows and _is_header(rows[0]):
        header, lines, rows = rows[0], lines[1:], rows[1:]
    if not rows:
        raise UserError(Problem("has no line with pixels", name))
    while len(rows[0]) > 1 and not any(row[-1].strip() for row in rows) and not (header and _named(header, rows[0])):
        rows = [row[:-1] for row in rows]
    while header and len(header) > len(rows[0]) and not header[-1].strip():
        header.pop()
    width = len(header or rows[0])
    if width == 1 and len(rows[0]) == 1:
        names = listing(SEPARATORS.values())
        raise UserError(Problem(f"has one value in each line; a label and its pixels are separated by: {names}", name))
    for line, row in zip(lines, rows, strict=True):
        if len(row) != width:
            raise UserError(Problem(f"line {line} has {len(row)} values; {width} are expected", name))
    notes = []
    if header and header[0].strip() in ("", "Unnamed: 0") and all(row[0] == str(i) for i, row in enumerate(rows)):
        header, rows = header[1:], [row[1:] for row in rows]
        notes.append("the first column, which has no name and numbers the lines, is left out")
    return Table(name, header, rows, lines, notes)


def _named(header: list[str], row: list[str]) -> bool:
    """Return whether the last value of a row has a name in the header."""
    return len(header) >= len(row) and bool(header[len(row) - 1].strip())


def _numbers(rows: Rows) -> tuple[int, int]:
    """Return how good a separator is that gives these rows: the most numbers, then the most columns."""
    return sum(map(is_number, (text for row in rows for text in row))), min(map(len, rows), default=0)


def is_number(text: str) -> bool:
    """Return whether a value is a number, with a decimal point or a decimal comma."""
    try:
        float(text)
    except ValueError:
        return DECIMAL_COMMA.fullmatch(text) is not None
    return True


def _is_header(line: list[str]) -> bool:
    """Return whether the first line is a header: most of it words, or numbers that count the columns."""
    filled = [text for text in line if text.strip()]
    words = [text for text in filled if not is_number(text)]
    if 2 * len(words) > len(filled):
        return True
    counted = [text for text in filled if text not in words]
    if (
        len(words) > 1
        or not counted
        or not COUNTING.fullmatch(counted[0])
        or counted != [str(int(counted[0]) + i) for i in range(len(counted))]
    ):
        return False
    return len(line) > MAX_COUNTING or any(word.strip().lower() in LABEL_NAMES for word in words)


def label_position(table: Table, wanted: str | None) -> tuple[int, str | None]:
    """Return the position of the column of labels, and a sentence about it unless a name decides.

    Args:
        table: the CSV file.
        wanted: the key `data.label_column`.

    Raises:
        UserError: there is no such column, or it was not given and several columns may be the labels.
    """
    last, header = len(table.rows[0]) - 1, table.header
    if wanted is not None:
        return column_position(wanted, table.header, last + 1, table.file, KEY), None
    named = [i for i, name in enumerate(header or ()) if name.strip().lower() in LABEL_NAMES]
    if len(named) == 1:
        return named[0], None
    if named:
        found = listing(repr(header[i]) for i in named)
        raise UserError(
            Problem(f"the columns {found} may all hold the labels; write label_column: NAME", table.file, KEY)
        )
    odd = _odd_name(header or [])
    if odd is None:
        odd = _by_values(table)
    where = f"'{header[odd]}'" if header else {0: "first", last: "last"}[odd]
    return (
        odd,
        f"the labels are the {'column ' if header else ''}{where}{'' if header else ' column'} ({KEY} changes that)",
    )


def column_position(wanted: str, header: list[str] | None, width: int, file: str, key: str) -> int:
    """Return the position of the column that a key asks for: first, last, its name in any case, or its number from 1.

    Args:
        wanted: the value of the key.
        header: names of the columns; None without a header.
        width: number of columns.
        file, key: for error messages.

    Raises:
        UserError: there is no such column.
    """
    if wanted in ("first", "last"):
        return 0 if wanted == "first" else width - 1
    names = [name.strip() for name in header or ()]
    for found in (names, [name.lower() for name in names]):
        for text in (wanted.strip(), wanted.strip().lower()):
            if found.count(text) == 1:
                return found.index(text)
    if wanted.isdecimal() and len(wanted) < 9 and 1 <= int(wanted) <= width:
        return int(wanted) - 1
    if header is None:
        message = f"got '{wanted}', and the file has no header; allowed: first, last, or a number from 1 to {width}"
    else:
        message = f"no column '{wanted}'{closest(wanted, names)}; allowed: first, last, {listing(names, 6)}"
    raise UserError(Problem(message, file, key))


def _odd_name(header: list[str]) -> int | None:
    """Return the one column that is not named like the others, whose names are a word and numbers, such as pixel17."""
    stems = [re.sub(r"\d+", "#", name) for name in header]
    counts = Counter(stems).most_common(3)
    if len(counts) == 2 and counts[1][1] == 1 < counts[0][1] and "#" in counts[0][0]:
        return stems.index(counts[1][0])
    return None


def _by_values(table: Table) -> int:
    """Return the first or the last column, whichever is clearly the labels by its values."""
    last = len(table.rows[0]) - 1
    kinds = {position: _kind([row[position] for row in table.rows]) for position in (0, last)}
    for label, other in (("words", {"classes", "pixels", "unclear"}), ("classes", {"pixels"})):
        for position, across in ((0, last), (last, 0)):
            if kinds[position] == label and kinds[across] in other:
                return position
    what = f"header {listing(table.header, 4)} without a column 'label'" if table.header else "no header"
    shown = [", ".join(dict.fromkeys(row[position] for row in table.rows[:200])) for position in kinds]
    shown = [text if len(text) <= 30 else f"{text[:27]}..." for text in shown]
    message = (
        f"has {what}, and its values do not show which column holds the labels: the first ({shown[0]}) or the last "
        f"({shown[1]}); write label_column: first, or label_column: last"
    )
    raise UserError(Problem(f"{message}{', or its name' if table.header else ''}", table.file, KEY))


def _kind(values: list[str]) -> str:
    """Return what the values of a column are: `words`, `classes` (whole numbers), `pixels` or, if both may be, `unclear`."""
    filled = [text for text in values if text.strip()]
    try:
        numbers, counts = np.unique(np.array(filled, np.float64), return_counts=True)
    except ValueError:
        return "words"
    whole = len(numbers) and numbers[0] >= 0 and np.isfinite(numbers).all() and (numbers % 1 == 0).all()
    if not whole or len(numbers) == 1 or (len(numbers) > MANY and numbers[-1] > FAR):
        return "pixels"
    has_gaps = numbers[-1] + 1 > 2 * len(numbers)
    if has_gaps and len(numbers) >= GAPS_MANY and numbers[-1] > GAPS_FAR:
        return "pixels"
    return "unclear" if has_gaps or 2 * len(numbers) > counts.sum() else "classes"
