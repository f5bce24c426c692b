"""What became of each file of a folder or archive: used, left out for a reason, or ignored by rule."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from kerasexp.config.section_base import one_line
from kerasexp.errors import Problem, UserError, listing

# Files named for each reason: on the console, and in the manifest.
SHOWN, RECORDED = 3, 10
# Rows of a table that the manifest names for each reason: each missing file of a table of usual size.
RECORDED_ROWS = 10_000
# Lines on the console about images that cannot be read for one reason, and lines of one message about kinds of them.
MOST_LINES, SHOWN_KINDS = 100, 10
OTHER_TYPES = "of other types"


@dataclass(frozen=True)
class Rows:
    """What became of each row of a table of files.

    Attributes:
        table: its name.
        used: number of rows that are images of the data.
        left_out: reason -> path, or place if there is none, of each row that is not used.
    """

    table: str
    used: int
    left_out: dict[str, list[str]]

    @property
    def total(self) -> int:
        """Number of all rows."""
        return self.used + sum(map(len, self.left_out.values()))

    def lines(self) -> Iterator[str]:
        """Yield a sentence for each reason."""
        for reason, names in self.left_out.items():
            count = f"{len(names):,} of {counted(self.total, 'row')}"
            yield f"not used: {count} of {self.table} {reason}: {listing(names, SHOWN)}"

    def record(self) -> dict[str, Any]:
        """Return the numbers and the names as plain JSON values."""
        left = [
            {"reason": reason, "rows": len(names), "such_as": names[:RECORDED_ROWS]}
            for reason, names in self.left_out.items()
        ]
        return {"rows": self.total, "used": self.used, "left_out": left}


@dataclass(frozen=True)
class Accounting:
    """What became of each file.

    Attributes:
        used: number of images of the data, including those that cannot be read.
        left_out: reason -> paths of the files that are not used.
        ignored: paths of the files that are hidden or added by macOS.
        empty: paths of class folders that hold no image.
        notes: sentences about how the files are used.
        rows: what became of the rows of the table that lists the files.
    """

    used: int
    left_out: dict[str, list[str]] = field(default_factory=dict)
    ignored: list[str] = field(default_factory=list)
    empty: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    rows: Rows | None = None

    @property
    def files(self) -> int:
        """Number of all files."""
        return self.used + len(self.ignored) + sum(map(len, self.left_out.values()))

    def without(self, reason: str, paths: list[str]) -> Accounting:
        """Return the account after these files, which were used, are left out."""
        if not paths:
            return self
        return replace(self, used=self.used - len(paths), left_out={**self.left_out, reason: paths})

    def lines(self) -> Iterator[str]:
        """Yield a sentence for each kind of file that is not used, and for each choice that was made."""
        yield from map(one_line, self._lines())

    def _lines(self) -> Iterator[str]:
        yield from self.notes
        if self.rows is not None:
            yield from self.rows.lines()
        if self.empty:
            yield f"{counted(len(self.empty), 'class folder')} without an image: {listing(self.empty)}"
        for reason, paths in self.left_out.items():
            shown = types(paths) if reason == OTHER_TYPES else listing(paths, SHOWN)
            yield f"not used: {counted(len(paths), 'file')} {reason}: {shown}"
        if self.ignored:
            yield f"not used: {counted(len(self.ignored), 'file')} hidden or of macOS"

    def record(self) -> dict[str, Any]:
        """Return the numbers and some names as plain JSON values."""
        groups = [(reason, paths) for reason, paths in self.left_out.items() if paths]
        return {
            "files": self.files,
            "used": self.used,
            "ignored": {"files": len(self.ignored), "such_as": self.ignored[:RECORDED]},
            "left_out": [
                {"reason": reason, "files": len(paths), "types": count_types(paths), "such_as": paths[:RECORDED]}
                for reason, paths in groups
            ],
            "empty_folders": self.empty,
            **({} if self.rows is None else {"table": self.rows.record()}),
        }


def fault_lines(faults: list[tuple[str, str]], most: int = MOST_LINES) -> Iterator[str]:
    """Yield a line for each image that cannot be read, at most `most` of those with the same reason."""
    by_reason: dict[str, list[str]] = {}
    for name, reason in faults:
        by_reason.setdefault(reason, []).append(name)
    for reason, names in by_reason.items():
        yield from (f"left out: {one_line(name)}: {reason}" for name in names[:most])
        if len(names) > most:
            yield f"left out: {len(names) - most:,} more ({types(names[most:])}): {reason}"


def none_readable(faults: list[tuple[str, str]], file: str | None = None) -> UserError:
    """Return the error of images of which none can be read: the first, and a line for each kind if there are several.

    Args:
        faults: (name, reason) of each; at least one.
        file: the folder or archive.
    """
    kinds: dict[tuple[str, str], list[str]] = {}
    for name, reason in faults:
        kinds.setdefault((extension(name) or "without an extension", reason), []).append(name)
    name, reason = faults[0]
    lines = [f"none of the {len(faults):,} images can be read; the first is {one_line(name)}: {reason}"]
    if len(kinds) > 1:
        listed = sorted(kinds.items(), key=lambda item: -len(item[1]))
        lines += [
            f"{len(own):,} {kind}, such as {one_line(own[0])}: {reason}" for (kind, reason), own in listed[:SHOWN_KINDS]
        ]
        if rest := sum(len(own) for _, own in listed[SHOWN_KINDS:]):
            lines.append(f"{rest:,} more of {len(listed) - SHOWN_KINDS} other kinds")
    return UserError(Problem("\n".join(lines), file))


def counted(number: int, noun: str) -> str:
    """Return `1 file` or `2 files`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def extension(path: str) -> str:
    """Return the extension in small letters, with its dot; empty for a name without one."""
    name = path.rpartition("/")[2]
    stem, dot, end = name.rpartition(".")
    return (dot + end).lower() if stem else ""


def count_types(paths: list[str]) -> dict[str, int]:
    """Return extension -> number of files, the most frequent first."""
    counts = Counter(extension(path) or "no extension" for path in paths)
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def types(paths: list[str]) -> str:
    """Return the types of files with their numbers: `3 .txt, 1 .csv`."""
    return listing(f"{number:,} {kind}" for kind, number in count_types(paths).items())
