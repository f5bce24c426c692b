"""Failures of single plots and parts: the rest of the page stays, and a box says what failed and why."""

from __future__ import annotations

import html
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

from kerasexp.errors import KerasexpError
from kerasexp.report.html import DrawnPlot, Plot, draw

T = TypeVar("T")
LONGEST = 300


class Unavailable(Exception):
    """Something that a plot needs is not there, such as the images; the text says why."""


@dataclass(frozen=True)
class Failure:
    """A plot or a part of a page that failed.

    Attributes:
        section: the heading under which its box stands.
        name: of the plot or part.
        reason: in one line.
    """

    section: str
    name: str
    reason: str


def attempt(failures: list[Failure], section: str, name: str, compute: Callable[[], T], default: T) -> T:
    """Return what `compute` returns; where it fails, append a failure and return `default`.

    Raises:
        KerasexpError: the disk is full, or the run was asked to stop.
    """
    try:
        return compute()
    except KerasexpError:
        raise
    except Exception as error:
        failures.append(Failure(section, name, error_line(error)))
        return default


def draw_all(plots: Iterable[Plot | DrawnPlot], section: str, name: str) -> Iterator[DrawnPlot | Failure]:
    """Yield the drawn plots, and the failure of each that cannot be drawn.

    Args:
        plots: drawn one by one unless they are drawn already; usually a generator that computes the next plot when asked; it
            ends if that fails.
        section, name: of a failure to compute the next.

    Raises:
        KerasexpError: as `attempt`.
    """
    rest = iter(plots)
    while True:
        failures: list[Failure] = []
        plot = attempt(failures, section, name, lambda: next(rest, None), None)
        if plot is None:
            yield from failures
            return
        yield attempt(failures, plot.section, plot.name, lambda plot=plot: draw(plot), None) or failures[0]


def by_section(found: Iterable[DrawnPlot | Failure]) -> dict[str, list[DrawnPlot | Failure]]:
    """Return plots and failures by section, in their order."""
    sections: dict[str, list[DrawnPlot | Failure]] = {}
    for each in found:
        sections.setdefault(each.section, []).append(each)
    return sections


def rendered(failures: list[Failure], render: Callable[[], str], title: str, facts: Iterable[str]) -> str:
    """Return a page; where its template fails, a minimal one of the facts and the failures."""
    page = attempt(failures, "", "page", render, "")
    if page:
        return page
    lines = [*facts, *(f"{failure.name} could not be drawn: {failure.reason}" for failure in failures)]
    head = f'<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n<title>{html.escape(title)}</title>'
    body = "".join(f"<p>{html.escape(line)}</p>\n" for line in lines)
    return f"{head}\n<h1>{html.escape(title)}</h1>\n{body}</html>\n"


def as_json(failures: Iterable[Failure]) -> list[dict[str, Any]]:
    """Return the failures as plain values."""
    return [asdict(failure) for failure in failures]


def error_line(error: BaseException) -> str:
    """Return an error as one line of bounded length."""
    text = " ".join(str(error).split())
    if not isinstance(error, Unavailable):
        text = f"{type(error).__name__}: {text}" if text else type(error).__name__
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
