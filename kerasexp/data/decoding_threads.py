"""A map over many images in threads: decoding and inflating release Python's lock.

Caches are filled by it and not by tf.data: a `map` of tf.data over a Python function, eight images at a time, took 1.07 times the
CPU time for scans, 1.17 for photographs and 2.2 for files of 64x64. With TensorFlow's own decoders and the layer `Preprocess` in
its place, it took 1.6 to 5 times as long, and would miss damage that ours finds.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TypeVar

import cv2
import numpy as np

from kerasexp.environment import cores

Item, Result = TypeVar("Item"), TypeVar("Result")
# Images per task: decoding a JPEG file of 45 kB takes 0.3 ms, and submitting a task a tenth of that.
TASK_ITEMS = 8
# Seconds. A faster function is mostly Python, and threads waiting for the lock take twice as long as a single one.
MIN_SECONDS = 1e-4
# Bytes; see `keep_freed_memory`.
LARGEST_RAISE = 2**25 - 2**16


def map_threads(function: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[Result]:
    """Yield `function(item)` in the order of the items. One thread per core: one more made decoding a tenth slower."""
    keep_freed_memory()
    fastest = float("inf")
    for item in items[:TASK_ITEMS]:
        start = time.perf_counter()
        result = function(item)
        fastest = min(fastest, time.perf_counter() - start)
        yield result
    if fastest < MIN_SECONDS:
        yield from map(function, items[TASK_ITEMS:])
        return
    # OpenCV's own threads wait in a loop, which takes CPU time from these.
    opencv_threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    parts = (items[start : start + TASK_ITEMS] for start in range(TASK_ITEMS, len(items), TASK_ITEMS))
    try:
        with ThreadPoolExecutor(max_workers=cores()) as pool:
            for results in pool.map(lambda part: [function(item) for item in part], parts):
                yield from results
    finally:
        cv2.setNumThreads(opencv_threads)


@cache
def keep_freed_memory() -> None:
    """Let this process keep up to 64 MB of freed memory for its next images, where the C library is glibc.

    It returns a freed block of a scan's size to the system at once, and the system takes longer to provide the next one, page
    by page, than decoding takes: 2.8 of 4.7 ms. It keeps more once a block of at most 32 MB was freed (mallopt(3),
    M_MMAP_THRESHOLD). This one is never written to, so it takes up no memory.
    """
    np.empty(LARGEST_RAISE, np.uint8)
