"""A line of parts with a bar, fitted to the width of the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from rich.console import RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

GAP = 2
# Characters of the bar; with less room than the first, there is none.
BAR_WIDTHS = 10, 40


class Part(NamedTuple):
    """A part of a line. Where not all fit, they are shortened, and then those of a lower rank give way."""

    text: str
    rank: int
    style: str = ""
    short: str = ""


def fitted(parts: Iterable[Part], width: int) -> list[Part]:
    """Return the parts that fit into `width` characters, in their order; the highest ranked is always there."""
    kept = [part for part in parts if part.text]
    if _width(kept) > width:
        kept = [part._replace(text=part.short or part.text) for part in kept]
    while len(kept) > 1 and _width(kept) > width:
        kept.remove(min(kept, key=lambda part: part.rank))
    return kept


def live_line(parts: Sequence[Part], done: float, total: float | None, width: int) -> RenderableType:
    """Return the parts that fit, with a bar after the first where there is room; `total` is None where it is not known."""
    # A terminal may wrap a line that ends in its last column.
    width -= 1
    kept = fitted(parts, width)
    room = width - _width(kept) - GAP
    cells: list[RenderableType] = [
        Text(part.text[:width], style=part.style, no_wrap=True, overflow="crop") for part in kept
    ]
    if room >= BAR_WIDTHS[0]:
        cells.insert(1, ProgressBar(total=total, completed=done, width=min(room, BAR_WIDTHS[1]), pulse=total is None))
    line = Table.grid(padding=(0, GAP, 0, 0), pad_edge=False)
    line.add_row(*cells)
    return line


def _width(parts: Sequence[Part]) -> int:
    return sum(len(part.text) for part in parts) + GAP * (len(parts) - 1)
