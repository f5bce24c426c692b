"""Importing TensorFlow without its start-up chatter, and memory as it likes it."""

from __future__ import annotations

import ctypes
import gc
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

# Of glibc's malloc.h; the largest threshold that it takes is 32 MiB.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3


def import_tensorflow() -> None:
    """Import TensorFlow and Keras; what they write to standard error on the way, on oneDNN and absent GPUs, is dropped."""
    if "tensorflow" in sys.modules:
        return
    keep_freed_memory()
    with silenced():
        import keras  # noqa: F401
        import tensorflow as tf
    # What was imported stays: looking through it for garbage takes a third of a second each time.
    gc.freeze()
    # Advice to programmers: each run of a process has models of its own, and so has to trace each of them.
    tf.get_logger().addFilter(lambda record: "retracing" not in record.getMessage())


@contextmanager
def silenced() -> Iterator[None]:
    """Drop what the block writes to standard error, where C++ writes before any log level is read.

    Failures are raised as exceptions and so are still seen.
    """
    sys.stderr.flush()
    saved, nothing = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nothing, 2)
        yield
    finally:
        sys.stderr.flush()
        os.dup2(saved, 2)
        os.close(saved)
        os.close(nothing)


def keep_freed_memory() -> None:
    """Let glibc keep what is freed for the next allocation, up to 1 GiB, instead of giving it back to the kernel.

    Images and activations are megabytes that are freed and asked for again thousands of times a minute. Getting fresh
    pages each time made decoding in threads three times slower, and training a twentieth. Elsewhere than on glibc this
    does nothing.
    """
    with suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL("libc.so.6").mallopt
        mallopt(M_MMAP_THRESHOLD, 32 * 2**20)
        mallopt(M_TRIM_THRESHOLD, 2**30)
