"""A map over many images in threads: decoding and inflating release Python's lock.

Caches are filled by it and not by tf.data: a `map` of tf.data over a Python function, eight images at a time, took 1.07 times the
CPU time for scans, 1.17 for photographs and 2.2 for files of 64x64. With TensorFlow's own decoders and the layer `Preprocess` in
its place, it took 1.6 to 5 times as long, and would miss damage that ours finds.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import cv2

from kerasexp.backend import keep_freed_memory
from kerasexp.environment import cores

Item, Result = TypeVar("Item"), TypeVar("Result")
# Images per task: decoding a JPEG file of 45 kB takes 0.3 ms, and submitting a task a tenth of that.
TASK_ITEMS = 8
# Seconds. A faster function is mostly Python, and threads waiting for the lock take twice as long as a single one.
MIN_SECONDS = 1e-4


def map_threads(function: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[Result]:
    """Yield `function(item)` in the order of the items. One thread per core: one more made decoding a tenth slower."""
    keep_freed_memory()
    fastest = float("inf")
    for item in items[:TASK_ITEMS]:
        start = time.perf_counter()
        result = function(item)
        fastest = min(fastest, time.perf_counter() - start)
        yield result
    if fastest < MIN_SECONDS or len(items) <= TASK_ITEMS:
        yield from map(function, items[TASK_ITEMS:])
        return
    parts = (items[start : start + TASK_ITEMS] for start in range(TASK_ITEMS, len(items), TASK_ITEMS))
    with _opencv_in_one_thread, ThreadPoolExecutor(max_workers=cores()) as pool:
        for results in pool.map(lambda part: [function(item) for item in part], parts):
            yield from results


class _OpenCvInOneThread:
    """Keeps OpenCV to one thread in its blocks, which may overlap: its threads wait in a loop, which takes CPU time from ours."""

    def __init__(self):
        self._lock, self._users, self._threads = threading.Lock(), 0, 0

    def __enter__(self) -> None:
        with self._lock:
            if not self._users:
                self._threads = cv2.getNumThreads()
                cv2.setNumThreads(1)
            self._users += 1

    def __exit__(self, *error: object) -> None:
        with self._lock:
            self._users -= 1
            if not self._users:
                cv2.setNumThreads(self._threads)


_opencv_in_one_thread = _OpenCvInOneThread()
