"""The import of TensorFlow and Keras without start-up messages, and settings of the memory allocator."""

from __future__ import annotations

import ctypes
import gc
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from types import ModuleType

from kerasexp.errors import UserError

# Of glibc's malloc.h; the largest threshold that it takes is 32 MiB.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
# Other threads wait for the end of the import: its modules are in `sys.modules` from the beginning.
_IMPORT = threading.RLock()


def import_tensorflow() -> None:
    """Import TensorFlow and Keras, without their messages on oneDNN and absent GPUs, and with Keras's own defaults.

    A user's `keras.json` or `KERAS_BACKEND` may ask for others, with which a network is another one or cannot be built.

    Raises:
        UserError: Keras is imported already, with another backend.
    """
    with _IMPORT:
        _import_tensorflow()


def _import_tensorflow() -> None:
    if "tensorflow" in sys.modules and "keras" in sys.modules:
        _use_defaults(sys.modules["keras"])
        return
    # TensorFlow logs absent GPUs and its own version skew as errors; what stops a run comes as an exception.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ["KERAS_BACKEND"] = "tensorflow"
    # TensorFlow's own choice leaves oneDNN off on CPUs without VNNI, which train with it in 0.5 to 0.7 of the time.
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    keep_freed_memory()
    with silenced():
        import keras
        import tensorflow as tf
    _use_defaults(keras)
    # Imported modules stay; without this, each garbage collection looks through them for a third of a second.
    gc.freeze()
    # Each run in a process has its own models, so retracing is right here, and the warning is not.
    tf.get_logger().addFilter(lambda record: "retracing" not in record.getMessage())


def _use_defaults(keras: ModuleType) -> None:
    if (backend := keras.config.backend()) != "tensorflow":
        message = f"Keras is imported already, with the backend {backend}, and kerasexp needs tensorflow"
        raise UserError(f"{message}: set KERAS_BACKEND=tensorflow, and start Python anew")
    keras.config.set_image_data_format("channels_last")
    keras.config.set_floatx("float32")
    keras.config.set_epsilon(1e-7)


@contextmanager
def silenced() -> Iterator[None]:
    """Discard what the block writes to standard error. C++ code writes there before any log level is read.

    Failures are still seen: they are exceptions.
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


@cache
def keep_freed_memory() -> None:
    """Let glibc keep up to 1 GiB of freed memory for the next allocations, instead of returning it to the kernel.

    Images and activations of some megabytes are freed and allocated thousands of times a minute. With new pages each time,
    decoding in threads took three times as long, and training a twentieth more. Without glibc this does nothing.
    """
    with suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL("libc.so.6").mallopt
        mallopt(M_MMAP_THRESHOLD, 32 * 2**20)
        mallopt(M_TRIM_THRESHOLD, 2**30)
