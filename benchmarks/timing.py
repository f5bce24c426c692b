"""Shared by the benchmarks: the time of a command, alternating timings, their ratio with its spread, and the table in README.md."""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from kerasexp.environment import cores, processor, vector_instructions

ROOT = Path(__file__).resolve().parent.parent
TABLE = Path(__file__).resolve().with_name("README.md")
HEADER = "| what | measured | aim | command | where and when |"


@dataclass(frozen=True)
class Ratio:
    """The ratio of two sides over all pairs.

    Attributes:
        median: median of the ratios ours / theirs.
        low, high: the lowest and the highest ratio.
        pairs: the number of pairs.
        ours, theirs: the median of each side, in its own unit.
    """

    median: float
    low: float
    high: float
    pairs: int
    ours: float
    theirs: float

    @classmethod
    def of(cls, pairs: list[tuple[float, float]]) -> Ratio:
        """Return the ratio of pairs of measurements (ours, theirs)."""
        ratios = [ours / theirs for ours, theirs in pairs]
        sides = map(statistics.median, zip(*pairs, strict=True))
        return cls(statistics.median(ratios), min(ratios), max(ratios), len(pairs), *sides)

    def __str__(self) -> str:
        return f"{self.median:.3f} ({self.pairs} pairs, {self.low:.3f} to {self.high:.3f})"


def parser(doc: str) -> argparse.ArgumentParser:
    """Return the parser of a benchmark: its docstring, and the common arguments."""
    made = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--pairs", type=int, default=5, help="how often each side is timed")
    made.add_argument("--write", action="store_true", help="write the results to the table of benchmarks/README.md")
    return made


def take_turns(
    ours: Callable[[], float], theirs: Callable[[], float], pairs: int, unit: str = "s", name: str = "theirs"
) -> Ratio:
    """Time both sides `pairs` times; the order alternates, so that a machine that slows down slows both.

    Args:
        ours, theirs: measure once and return the result in `unit`.
        pairs: how often.
        unit: printed after each result.
        name: the name of the other side.
    """
    found: list[tuple[float, float]] = []
    for pair in range(pairs):
        first, second = (ours, theirs) if pair % 2 == 0 else (theirs, ours)
        measured = {first: first(), second: second()}
        found.append((measured[ours], measured[theirs]))
        mine, other = found[-1]
        print(f"  ours {mine:.4g} {unit}, {name} {other:.4g} {unit}: {mine / other:.3f}", flush=True)
    return Ratio.of(found)


def ours(*words: str) -> float:
    """Return the seconds that a command of ours takes."""
    return seconds([sys.executable, "-m", "kerasexp", *words])


def seconds(command: list[str]) -> float:
    """Return the seconds of a process that runs a command in the repository."""
    start = time.perf_counter()
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - start


def report_row(what: str, measured: str, reached: bool | None, aim: str, command: str, write: bool) -> None:
    """Print a row of the table, and write it there if `write` is set.

    Args:
        what: the name of the measurement; it replaces the row of the same name.
        measured: the result with its spread.
        reached: whether it meets the aim; None if there is no aim.
        aim: the aim in words.
        command: the command that measures it again.
        write: whether to change the table. Rows that miss their aim come first.
    """
    mark = {True: "", False: "NOT REACHED: ", None: ""}[reached]
    row = f"| {what} | {mark}{measured} | {aim} | `{command}` | {_machine()}, {date.today().isoformat()} |"
    print(row)
    if write:
        before, header, rest = TABLE.read_text().partition(HEADER)
        rule, *lines = rest.lstrip("\n").split("\n")
        end = next((i for i, line in enumerate(lines) if not line.startswith("|")), len(lines))
        rows = [line for line in lines[:end] if not line.startswith(f"| {what} |")] + [row]
        rows.sort(key=lambda line: "NOT REACHED" not in line)
        TABLE.write_text(before + header + "\n" + "\n".join([rule, *rows, *lines[end:]]))


def _machine() -> str:
    instructions = vector_instructions()
    return f"{cores()} x {processor()}" + (f" ({instructions})" if instructions else "")
