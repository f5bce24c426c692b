"""Work on many pictures at once: decoding and inflating leave Python's lock free."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Item, Result = TypeVar("Item"), TypeVar("Result")


def cores() -> int:
    """Return how many cores this process may use; systems that cannot say so have all of theirs."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def in_threads(function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """Yield `function` of each item, in their order. One thread a core: one more made decoding a tenth slower."""
    with ThreadPoolExecutor(max_workers=cores()) as pool:
        yield from pool.map(function, items)
